// The loss of samples that are not trained on.
import { nameOfShape } from '../data/sample-sizes.ts';
import { HeldOutBatches, type HeldOutOptions, type Job, untoldLosses } from './held-out-batches.ts';
import type { WeightSet } from './ranks/weight-sets.ts';

/** Means over the same samples, with which the same is drawn each time. */
export interface HeldOutLosses {
  readonly heldOutLoss: number;
  /** With the averaged weights. */
  readonly heldOutLossEma: number;
  /** Without telling the model labels or captions; absent where it does not learn to do without. */
  readonly heldOutLossUnconditional?: number;
  /** Of as many samples that are trained on, with the same noise and times: the lower it is, the more is learnt by heart. */
  readonly trainedLoss: number;
  /** Of data at several sizes: of the samples that are read at each; `heldOutLoss` is the mean over all. */
  readonly heldOutLossBySize?: Readonly<Record<string, number>>;
  /** Of what an autoencoder with averaged weights makes of them. */
  readonly heldOutL1?: number;
  readonly heldOutPsnr?: number;
}

export class HeldOut {
  readonly #options: HeldOutOptions;
  readonly #batches: HeldOutBatches;

  private constructor(options: HeldOutOptions, batches: HeldOutBatches) {
    this.#options = options;
    this.#batches = batches;
  }

  static async compile(options: HeldOutOptions): Promise<HeldOut> {
    return new HeldOut(options, await HeldOutBatches.compile(options));
  }

  /** The state stays as it is. */
  dispose(): Promise<void> {
    return this.#batches.dispose();
  }

  /** With the weights as they are now. All ranks call it, each measures some of the samples, and all get the same numbers. */
  async evaluate(): Promise<HeldOutLosses> {
    const { task, split } = this.#options;
    const { untold, quality } = task.heldOut;
    const heldOut = this.#batches.jobs('heldOut');
    const seen = this.#batches.jobs('seen');
    const ofHeldOut = await this.#batches.measureAll(heldOut, {
      model: ['losses', ...(untold ? [untoldLosses] : [])],
      ema: ['losses', ...(quality?.names ?? [])],
    });
    const ofSeen = await this.#batches.measureAll(seen, { model: ['losses'], ema: [] });
    const count = total(heldOut.map(({ rows }) => rows));
    const meanLoss = (set: WeightSet, name: string): number => total(ofHeldOut(set, name).map(total)) / count;
    const measured = (quality?.names ?? []).map((name) => [
      name,
      ofHeldOut('ema', name).flatMap((values) => [...values]),
    ]);
    return {
      heldOutLoss: meanLoss('model', 'losses'),
      heldOutLossEma: meanLoss('ema', 'losses'),
      ...(untold && { heldOutLossUnconditional: meanLoss('model', untoldLosses) }),
      trainedLoss: total(ofSeen('model', 'losses').map(total)) / total(seen.map(({ rows }) => rows)),
      ...(split.heldOut.sizes && { heldOutLossBySize: this.#bySize(heldOut, ofHeldOut('model', 'losses')) }),
      ...quality?.metrics(Object.fromEntries(measured)),
    };
  }

  #bySize(jobs: readonly Job[], losses: readonly Float32Array[]): Record<string, number> {
    const measured = this.#batches.parts.filter(({ heldOut }) => heldOut.length > 0);
    return Object.fromEntries(
      measured.map((part) => {
        const own = losses.filter((_, i) => jobs[i]!.part === part);
        return [nameOfShape(part.shape), total(own.map(total)) / part.heldOut.length];
      }),
    );
  }
}

function total(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum;
}
