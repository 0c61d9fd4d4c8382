import type { SamplerPosition } from '../data/sampler.ts';
import type { LossScalerState } from '../optim/loss-scaler.ts';
import { type RectiflowError, fileError } from '../tensor/errors.ts';
import { shownJson } from '../tensor/shown-json.ts';
import type { StoredCheckpoint } from './run-store.ts';

/** Where a training stands, beside its tensors: what checkpoints hold of it. */
export interface TrainerState {
  readonly position: SamplerPosition;
  /** Of training so far. */
  readonly seconds: number;
  /** Steps that changed the weights: those that were not skipped. */
  readonly updates: number;
  /** Updates after which the optimizer's moments were zero; absent where they were so at the beginning. */
  readonly momentsFrom?: number;
  /** Times that training went back to a checkpoint. */
  readonly rollBacks: number;
  /** The numbers of the bad steps that count towards going back again. */
  readonly recentBadSteps: readonly number[];
  /** In fp16. */
  readonly lossScaler?: LossScalerState;
}

/** For a state whose checksum is right and which is none all the same: somebody, or another version, wrote it so. */
export function stateError(checkpoint: string, place: string, problem: string): RectiflowError {
  const advice = 'Move the checkpoint away: the one before it is then taken';
  return fileError(checkpoint, `state.json is no state of a training: ${place}: ${problem}`, advice);
}

/**
 * Where a run goes on; at its beginning without a checkpoint. In older checkpoints every step was an update.
 * @throws RectiflowError when the checkpoint's state is none
 */
export function stateOf(
  checkpoint: Pick<StoredCheckpoint, 'path' | 'step' | 'state'> | undefined,
): TrainerState {
  if (checkpoint === undefined)
    return { position: { epoch: 0, offset: 0 }, seconds: 0, updates: 0, rollBacks: 0, recentBadSteps: [] };
  const { path, step, state } = checkpoint;
  const check = <T>(
    place: string,
    value: unknown,
    isRight: (value: unknown) => boolean,
    wanted: string,
  ): T => {
    if (isRight(value)) return value as T;
    throw stateError(path, `state.${place}`, `wanted ${wanted}, found ${shownJson(value)}`);
  };
  const members = (place: string, value: unknown): Record<string, unknown> =>
    check(place, value, (each) => typeof each === 'object' && each !== null, 'an object');
  const count = (place: string, value: unknown): number => check(place, value, isCount, 'a whole number');
  const { position, seconds, updates = step, momentsFrom, rollBacks = 0, recentBadSteps = [] } = state;
  const { lossScaler } = state;
  const { epoch, offset, batches } = members('position', position);
  return {
    position: {
      epoch: count('position.epoch', epoch),
      offset: count('position.offset', offset),
      ...(batches !== undefined && { batches: count('position.batches', batches) }),
    },
    seconds: check('seconds', seconds, (each) => typeof each === 'number' && each >= 0, 'a number from 0'),
    updates: count('updates', updates),
    ...(momentsFrom !== undefined && {
      momentsFrom: check('momentsFrom', momentsFrom, Number.isSafeInteger, 'a whole number'),
    }),
    rollBacks: count('rollBacks', rollBacks),
    recentBadSteps: check(
      'recentBadSteps',
      recentBadSteps,
      (each) => Array.isArray(each) && each.every(isCount),
      'whole numbers',
    ),
    ...(lossScaler !== undefined && { lossScaler: scalerOf(members('lossScaler', lossScaler)) }),
  };

  function scalerOf({ scale, updates: since }: Record<string, unknown>): LossScalerState {
    const isScale = (each: unknown): boolean => typeof each === 'number' && each > 0 && each < Infinity;
    return {
      scale: check('lossScaler.scale', scale, isScale, 'a number above 0'),
      updates: count('lossScaler.updates', since),
    };
  }
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
