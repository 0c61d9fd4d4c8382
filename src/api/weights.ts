// Which of a run's weights are meant.
import { type SavedCheckpoint, hasCheckpointPart, readCheckpointPart } from '../runs/checkpoint.ts';
import type { StoredTensors } from '../tensor/stored-tensor.ts';
import { longestPower } from '../optim/ema.ts';
import { valueError } from '../tensor/errors.ts';
import { groupAverages } from '../train/averages.ts';
import { reconstructAverage } from '../runs/stored-averages.ts';
import { join } from 'node:path';
import type { ConfigInput } from '../config/config.ts';
import { resolveConfig } from '../config/resolve-config.ts';
import { stageOf } from '../known/stage-of.ts';
import { growSince } from '../runner/stages.ts';
import { readRun } from '../runs/run-folder.ts';

/** Above this share of its norm a profile is not quite the one that was asked for. */
const notableError = 0.1;

export interface WeightsChoice {
  /**
   * `ema`, the default: the average over the last steps; `model`: the weights of the step itself; `ema:0.999`, `ema:power-0.05`: the
   * average of ema.decays or ema.power.
   */
  readonly weights?: string | undefined;
  /** In place of weights: the power-function average of this length, made of those that the run has stored. */
  readonly emaLength?: number | undefined;
  readonly onNotice?: (text: string) => void;
}

/**
 * A checkpoint's weights under the model's names.
 * @throws RectiflowError when the checkpoint has no such weights
 */
export async function readWeights(
  run: string,
  saved: SavedCheckpoint,
  { weights, emaLength, onNotice }: WeightsChoice,
): Promise<StoredTensors> {
  if (emaLength === undefined) return readNamed(saved, weights ?? 'ema');
  if (weights !== undefined) throw valueError('weights', 'weights', 'left out beside a length', weights);
  const { tensors } = await averageOf(run, saved, emaLength, onNotice);
  return tensors;
}

/** As `reconstructAverage`, with the length checked, and a notice where the profile is missed a little. */
export async function averageOf(
  run: string,
  saved: SavedCheckpoint,
  length: number,
  onNotice?: (text: string) => void,
): ReturnType<typeof reconstructAverage> {
  if (!(length > 0 && length <= longestPower))
    throw valueError('average', 'length', `a number above 0, at most ${longestPower.toFixed(4)}`, length);
  const { config: recorded } = await readRun(run);
  const config = resolveConfig(recorded as ConfigInput, { origin: join(run, 'config.json') });
  const made = await reconstructAverage(run, saved, length, growSince(config, stageOf(saved)));
  if (made.error > notableError) {
    const missed = `${(100 * made.error).toFixed(0)} %`;
    onNotice?.(
      `the profile of length ${length} is missed by ${missed}: too few averages were stored for it. Give a greater length, or store more often (a smaller ema.snapshotEvery)`,
    );
  }
  return made;
}

async function readNamed(saved: SavedCheckpoint, weights: string): Promise<StoredTensors> {
  if (weights === 'ema' || weights === 'model') return readCheckpointPart(saved, weights);
  const averages = hasCheckpointPart(saved, 'averages')
    ? groupAverages(await readCheckpointPart(saved, 'averages'))
    : new Map<string, StoredTensors>();
  const average = weights.startsWith('ema:') ? averages.get(weights.slice('ema:'.length)) : undefined;
  const known = ['ema', 'model', ...[...averages.keys()].map((name) => `ema:${name}`)];
  if (average === undefined) throw valueError('weights', 'weights', `one of ${known.join(', ')}`, weights);
  // Tables that are not trained have no average.
  return new Map([...(await readCheckpointPart(saved, 'ema')), ...average]);
}
