import type { SavedCheckpoint } from '../checkpoint/checkpoint.ts';
import type { SamplerPosition } from '../data/sampler.ts';
import type { LossScalerState } from '../optim/loss-scaler.ts';
import type { DataRecord } from './data-record.ts';
import type { TrainedWith } from './trained-with.ts';

/** What a checkpoint holds beside tensors. */
export interface TrainerState {
  readonly position: SamplerPosition;
  /** Of training so far. */
  readonly seconds: number;
  readonly data: DataRecord;
  readonly trainedWith: TrainedWith;
  /** Steps that changed the weights: those that were not skipped. */
  readonly updates: number;
  /** Times that training went back to a checkpoint. */
  readonly rollBacks: number;
  /** The numbers of the bad steps that count towards going back again. */
  readonly recentBadSteps: readonly number[];
  /** In fp16. */
  readonly lossScaler?: LossScalerState;
}

/** Where a run goes on; at its beginning without a checkpoint. In older checkpoints every step was an update. */
export function stateOf(checkpoint: SavedCheckpoint | undefined): Omit<TrainerState, 'data' | 'trainedWith'> {
  const start = {
    position: { epoch: 0, offset: 0 },
    seconds: 0,
    updates: checkpoint?.step ?? 0,
    rollBacks: 0,
    recentBadSteps: [],
  };
  return { ...start, ...(checkpoint?.state as TrainerState | undefined) };
}
