import type { z } from 'zod';
import { type RectiflowError, fileError } from '../tensor/errors.ts';

/** For a state whose checksum is right and which is none all the same: somebody, or another version, wrote it so. */
export function stateError(
  checkpoint: string,
  member: string,
  { issues: [issue] }: z.ZodError,
): RectiflowError {
  const place = [member, ...issue!.path].join('.');
  const problem = `state.json is no state of a training: ${place}: ${issue!.message}`;
  return fileError(checkpoint, problem, 'Move the checkpoint away: the one before it is then taken');
}
