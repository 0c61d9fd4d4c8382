import type { SteeringSettings } from '../steering/event.ts';
import type { PreparedTraining } from './prepare.ts';
import type { Checkpoint } from './run-store.ts';
import type { TrainerState } from './trainer-state.ts';

/** What a checkpoint holds beside tensors. */
export type CheckpointNotes = Pick<Checkpoint, 'step' | 'state' | 'metadata'>;

/** Of a training that stands so after a step. @param steered what is other than in its config by then */
export function notesOf(
  { config, notes, momentsFrom }: Pick<PreparedTraining, 'config' | 'notes' | 'momentsFrom'>,
  step: number,
  { position, seconds, updates, ...counts }: Omit<TrainerState, 'momentsFrom'>,
  steered: SteeringSettings | undefined,
): CheckpointNotes {
  const moments = momentsFrom !== undefined && { momentsFrom };
  return {
    step,
    state: {
      position,
      seconds,
      ...notes?.state,
      ...(steered && { steered }),
      updates,
      ...moments,
      ...counts,
    },
    metadata: { model: JSON.stringify(config.model), ...notes?.metadata, updates: String(updates) },
  };
}
