import { type LatentRecord, latentRecordOf } from '../data/latents.ts';
import type { SourceFacts } from '../data/source.ts';
import type { LatentReport } from './data-report.ts';

/** Counts what latents are like in each of their channels. */
export class ChannelCensus {
  readonly #record: LatentRecord;
  readonly #channels: number;
  /** Sum and sum of squares of each channel of each sample, added up in their order, not in that in which reads end. */
  readonly #sums: Float64Array[] = [];
  #plane = 0;

  private constructor(record: LatentRecord, channels: number) {
    this.#record = record;
    this.#channels = channels;
  }

  /** Undefined of samples that are no latents. */
  static of({ record, shape }: SourceFacts): ChannelCensus | undefined {
    const latents = latentRecordOf(record);
    return latents && new ChannelCensus(latents, shape[0] ?? 1);
  }

  add(index: number, values: Float32Array): void {
    const sums = new Float64Array(2 * this.#channels);
    this.#plane = values.length / this.#channels;
    values.forEach((value, i) => {
      const channel = Math.floor(i / this.#plane);
      sums[2 * channel]! += value;
      sums[2 * channel + 1]! += value * value;
    });
    this.#sums[index] = sums;
  }

  report(): LatentReport {
    const seen = this.#sums.filter((sums) => sums !== undefined);
    const { kind: _, ...scale } = this.#record;
    const channels = Array.from({ length: this.#channels }, (__, channel) => {
      const of = (at: number): number =>
        seen.reduce((sum, sums) => sum + sums[2 * channel + at]!, 0) / (seen.length * this.#plane);
      const [mean, squares] = [of(0), of(1)];
      return { mean, deviation: Math.sqrt(Math.max(0, squares - mean ** 2)) };
    });
    return { ...scale, channels };
  }
}
