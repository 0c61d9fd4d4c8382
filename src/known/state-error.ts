import type { z } from 'zod';
import type { RectiflowError } from '../tensor/errors.ts';
import { stateError } from '../train/trainer-state.ts';

/** Of the first thing that a schema found wrong with a member of a checkpoint's state. */
export function issueError(
  checkpoint: string,
  member: string,
  { issues: [issue] }: z.ZodError,
): RectiflowError {
  return stateError(checkpoint, [member, ...issue!.path].join('.'), issue!.message);
}
