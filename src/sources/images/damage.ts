import { type RectiflowError, fileError } from '../../tensor/errors.ts';

export const FETCH_AGAIN = 'Fetch it again, or remove it';

/** `a.png: is truncated or damaged: reason. Fetch it again, or remove it.` */
export function damagedError(origin: string, reason: string | undefined, cause?: unknown): RectiflowError {
  const problem = `is truncated or damaged${reason === undefined ? '' : `: ${reason}`}`;
  return fileError(origin, problem, FETCH_AGAIN, cause);
}
