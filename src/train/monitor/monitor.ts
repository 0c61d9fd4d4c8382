// Watches the logged steps of a run and says, once and in plain words, what is going wrong.
import type { LatentRecord } from '../../data/latents.ts';
import { toBytes } from '../../data/values.ts';
import type { Communicator } from '../ranks/communicator.ts';
import { coldAverage } from './cold-average.ts';
import { dataRange } from './data-range.ts';
import { deadGradient } from './dead-gradient.ts';
import type { Detector, Facts, Reading, ValueRange, WatchedConfig } from './detector.ts';
import { exploding } from './exploding.ts';
import { labelSignal } from './label-signal.ts';
import { latentScale } from './latent-scale.ts';
import { notFalling } from './not-falling.ts';
import { smallData } from './small-data.ts';
import { slowRank } from './slow-rank.ts';
import { spikes } from './spikes.ts';
import { starvation } from './starvation.ts';

const detectors: readonly Detector[] = [
  latentScale,
  dataRange,
  deadGradient,
  exploding,
  notFalling,
  spikes,
  smallData,
  labelSignal,
  coldAverage,
  starvation,
  slowRank,
];

/** Readings that are kept, which bounds the memory; the first of the process is kept beside them. */
const kept = 1000;

interface Watched {
  readonly config: WatchedConfig;
  readonly source: { readonly count: number };
  readonly checkpoint?: unknown;
  readonly communicator?: Communicator | undefined;
}

/** Learns nothing from other processes: after a resume it looks anew, and may say again what it has said. */
export class Monitor {
  readonly #config: WatchedConfig;
  readonly #known: Pick<Facts, 'samples' | 'hasBegunTrained' | 'hosts'>;
  readonly #said = new Set<Detector>();
  #values: ValueRange | undefined;
  #agreed = false;
  #readings: Reading[] = [];

  /** Of a training that begins or goes on. */
  static of({ config, source, checkpoint, communicator }: Watched): Monitor {
    const { hosts } = communicator ?? {};
    return new Monitor(config, {
      samples: source.count,
      hasBegunTrained: checkpoint !== undefined,
      ...(hosts && { hosts }),
    });
  }

  constructor(config: WatchedConfig, known: Pick<Facts, 'samples' | 'hasBegunTrained' | 'hosts'>) {
    this.#config = config;
    this.#known = known;
  }

  /** Looks at the first batch of finite numbers; further ones are passed over. */
  see(batch: Float32Array, arePictures: boolean, latents?: LatentRecord): void {
    this.#values ??= rangeOf(batch, arePictures, latents);
  }

  /** Of ranks, the values of the first batch are those of all its samples. All ranks call it before each reading. */
  async agree(communicator: Communicator | undefined): Promise<void> {
    if (communicator === undefined || this.#agreed) return;
    const all = await communicator.gatherJson(this.#values ?? null);
    const known = all.filter((each) => each !== null);
    this.#agreed = known.length === all.length;
    if (this.#agreed) this.#values = joinRanges(known);
  }

  /** @returns what there is to be said of this step that has not been said yet */
  read(reading: Reading): string[] {
    if (this.#readings.length > kept) this.#readings.splice(1, 1);
    this.#readings.push(reading);
    const isOfAll = this.#agreed || this.#known.hosts === undefined;
    const values = isOfAll ? this.#values : undefined;
    const facts = { ...this.#known, config: this.#config, values };
    return detectors.flatMap((detector) => {
      const text = this.#said.has(detector) ? undefined : detector(this.#readings, facts);
      if (text === undefined) return [];
      this.#said.add(detector);
      return [text];
    });
  }
}

/** Undefined where a value is not finite, which is told of the step that it spoils. */
function rangeOf(
  values: Float32Array,
  arePictures: boolean,
  latents: LatentRecord | undefined,
): ValueRange | undefined {
  let [least, most, sum, squares] = [Infinity, -Infinity, 0, 0];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
    sum += value;
    squares += value * value;
  }
  if (!Number.isFinite(sum)) return undefined;
  const average = sum / values.length;
  return {
    least,
    most,
    mean: average,
    latents,
    deviation: Math.sqrt(Math.max(0, squares / values.length - average ** 2)),
    arePictures,
    areBytes: toBytes(values) !== undefined,
  };
}

/** Of as many values each. */
function joinRanges(ranges: readonly ValueRange[]): ValueRange {
  const mean = (of: (range: ValueRange) => number): number =>
    ranges.reduce((sum, range) => sum + of(range), 0) / ranges.length;
  const average = mean((range) => range.mean);
  const squares = mean((range) => range.deviation ** 2 + range.mean ** 2);
  return {
    ...ranges[0]!,
    least: Math.min(...ranges.map(({ least }) => least)),
    most: Math.max(...ranges.map(({ most }) => most)),
    mean: average,
    deviation: Math.sqrt(Math.max(0, squares - average ** 2)),
    areBytes: ranges.every(({ areBytes }) => areBytes),
  };
}
