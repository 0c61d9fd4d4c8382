// Watches the logged steps of a run and says, once and in plain words, what is going wrong.
import type { LatentRecord } from '../../data/latents.ts';
import { toBytes } from '../../data/values.ts';
import { coldAverage } from './cold-average.ts';
import { dataRange } from './data-range.ts';
import { deadGradient } from './dead-gradient.ts';
import type { Detector, Facts, Reading, ValueRange, WatchedConfig } from './detector.ts';
import { exploding } from './exploding.ts';
import { labelSignal } from './label-signal.ts';
import { latentScale } from './latent-scale.ts';
import { notFalling } from './not-falling.ts';
import { smallData } from './small-data.ts';
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
];

/** Readings that are kept, which bounds the memory; the first of the process is kept beside them. */
const kept = 1000;

interface Watched {
  readonly config: WatchedConfig;
  readonly source: { readonly count: number };
  readonly checkpoint?: unknown;
}

/** Learns nothing from other processes: after a resume it looks anew, and may say again what it has said. */
export class Monitor {
  readonly #config: WatchedConfig;
  readonly #known: Pick<Facts, 'samples' | 'hasBegunTrained'>;
  readonly #said = new Set<Detector>();
  #values: ValueRange | undefined;
  #readings: Reading[] = [];

  /** Of a training that begins or goes on. */
  static of({ config, source, checkpoint }: Watched): Monitor {
    return new Monitor(config, { samples: source.count, hasBegunTrained: checkpoint !== undefined });
  }

  constructor(config: WatchedConfig, known: Pick<Facts, 'samples' | 'hasBegunTrained'>) {
    this.#config = config;
    this.#known = known;
  }

  /** Looks at the first batch of finite numbers; further ones are passed over. */
  see(batch: Float32Array, arePictures: boolean, latents?: LatentRecord): void {
    this.#values ??= rangeOf(batch, arePictures, latents);
  }

  /** @returns what there is to be said of this step that has not been said yet */
  read(reading: Reading): string[] {
    if (this.#readings.length > kept) this.#readings.splice(1, 1);
    this.#readings.push(reading);
    const facts = { ...this.#known, config: this.#config, values: this.#values };
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
