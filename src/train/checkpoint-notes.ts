import type { PreparedTraining } from './prepare.ts';
import type { Checkpoint } from './run-store.ts';
import type { TrainerState } from './trainer-state.ts';

/** What a checkpoint holds beside tensors. */
export type CheckpointNotes = Pick<Checkpoint, 'step' | 'state' | 'metadata'>;

/** Of a training that stands so after a step. */
export function notesOf(
  { config, notes, momentsFrom }: Pick<PreparedTraining, 'config' | 'notes' | 'momentsFrom'>,
  step: number,
  { position, seconds, updates, ...counts }: Omit<TrainerState, 'momentsFrom'>,
): CheckpointNotes {
  const moments = momentsFrom !== undefined && { momentsFrom };
  return {
    step,
    state: { position, seconds, ...notes?.state, updates, ...moments, ...counts },
    metadata: { model: JSON.stringify(config.model), ...notes?.metadata, updates: String(updates) },
  };
}
