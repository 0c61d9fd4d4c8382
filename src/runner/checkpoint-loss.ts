// What a checkpoint's weights lose on some samples, before they are trained any further.
import type { Backend, Buffers } from '../backends/backend.ts';
import type { HeldOutSplit } from '../data/hold-out.ts';
import { holdOut } from '../data/hold-out.ts';
import { createSampleModel } from '../train/create-model.ts';
import type { OwnFlow } from '../train/objective.ts';
import { HeldOut } from '../train/held-out.ts';
import { runTaskOf } from '../train/run-program.ts';
import type { CheckpointPart, StoredCheckpoint } from '../train/run-store.ts';
import { averageTensor } from '../train/averages.ts';
import { loadWeights } from '../train/restore.ts';
import { disposeAll } from '../tensor/lifetime.ts';
import { fileError } from '../tensor/errors.ts';
import type { StoredTensor, StoredTensors } from '../tensor/stored-tensor.ts';
import { type DataOptions, prepareData } from './prepare-data.ts';

export interface CheckpointLossOptions extends DataOptions, OwnFlow {
  readonly backend: Backend;
  readonly checkpoint: StoredCheckpoint;
}

export interface CheckpointLoss {
  /** Means over the samples. */
  readonly loss: number;
  /** With the averaged weights. */
  readonly lossEma: number;
  readonly samples: number;
  /** Whether they are kept out of training. */
  readonly areHeldOut: boolean;
}

/** Samples to measure with, where none are held out. */
const samplesMeasured = 64;

/**
 * The loss on the samples that are held out, or else on some that are trained on: always the same ones, each with the same time, and
 * at every size with the noise of that size.
 * @throws RectiflowError where the checkpoint does not fit the config, or the data cannot be read
 */
export async function checkpointLoss(options: CheckpointLossOptions): Promise<CheckpointLoss> {
  const { config, backend, checkpoint } = options;
  const { split: own, source, conditioning } = await prepareData(options);
  const split = own ?? splitToMeasure(source, config.seed);
  const model = createSampleModel(config.model, conditioning.text);
  const weights = await load('model');
  try {
    const averages = await load('ema');
    try {
      const buffers: Buffers = new Map([
        ...weights,
        ...[...averages].map(([name, buffer]) => [averageTensor(undefined, name), buffer] as const),
      ]);
      const task = runTaskOf(config, model, options);
      const heldOut = await HeldOut.compile({ config, backend, buffers, model, task, conditioning, split });
      try {
        const { heldOutLoss, heldOutLossEma } = await heldOut.evaluate();
        const { count: samples } = split.heldOut;
        return { loss: heldOutLoss, lossEma: heldOutLossEma, samples, areHeldOut: own !== undefined };
      } finally {
        await heldOut.dispose();
      }
    } finally {
      await disposeAll(averages.values());
    }
  } finally {
    await disposeAll(weights.values());
  }

  async function load(part: CheckpointPart): Promise<Buffers> {
    const tensors = await readPart(checkpoint, part);
    return loadWeights(backend, model, tensors, checkpoint.path);
  }
}

function splitToMeasure(source: HeldOutSplit['trained'], seed: number): HeldOutSplit {
  const count = Math.min(samplesMeasured, Math.floor(source.count / 2));
  if (count > 0) return holdOut(source, count, seed);
  return { trained: source, heldOut: source, seen: source };
}

/** All tensors of a part. @throws RectiflowError where the checkpoint has no such part */
export async function readPart(checkpoint: StoredCheckpoint, part: CheckpointPart): Promise<StoredTensors> {
  const opened = await checkpoint.open(part);
  if (opened === undefined) throw fileError(checkpoint.path, `has no ${part}`, 'Give an earlier checkpoint');
  const tensors = new Map<string, StoredTensor>();
  for (const name of opened.slots.keys()) tensors.set(name, await opened.read(name));
  return tensors;
}
