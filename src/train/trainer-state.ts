import { z } from 'zod';
import type { SavedCheckpoint } from '../runs/checkpoint.ts';
import type { SamplerPosition } from '../data/sampler.ts';
import type { LossScalerState } from '../optim/loss-scaler.ts';
import type { DataRecord } from '../known/data-record.ts';
import { stateError } from '../known/state-error.ts';
import type { TrainedWith } from '../known/trained-with.ts';

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
  /** Whether samples were ever trained on without label or caption. Absent where nothing tells: of weights from elsewhere. */
  readonly nullTrained?: boolean;
  /** Where the weights of the run's beginning are from. */
  readonly imported?: { readonly file: string };
}

type Progress = Omit<TrainerState, 'data' | 'trainedWith'>;

const whole = z.number().int().nonnegative();

/** In older checkpoints every step was an update. */
const schema = z.object({
  position: z.object({ epoch: whole, offset: whole }),
  seconds: z.number().nonnegative(),
  updates: whole.exactOptional(),
  rollBacks: whole.default(0),
  recentBadSteps: z.array(whole).default([]),
  lossScaler: z.object({ scale: z.number().positive(), updates: whole }).exactOptional(),
  nullTrained: z.boolean().exactOptional(),
  imported: z.object({ file: z.string() }).exactOptional(),
});

/**
 * Where a run goes on; at its beginning without a checkpoint.
 * @throws RectiflowError when the checkpoint's state is none
 */
export function stateOf(checkpoint: SavedCheckpoint | undefined): Progress {
  if (checkpoint === undefined)
    return { position: { epoch: 0, offset: 0 }, seconds: 0, updates: 0, rollBacks: 0, recentBadSteps: [] };
  const parsed = schema.safeParse(checkpoint.state);
  if (parsed.success) return { updates: checkpoint.step, ...parsed.data };
  throw stateError(checkpoint.path, 'state', parsed.error);
}
