import { version } from '../checkpoint/machine.ts';
import { RectiflowError } from '../tensor/errors.ts';

/**
 * Prints what went wrong: one message where the user can do something about it, everything there is where only we can.
 * @returns the exit code
 */
export function reportError(error: unknown): number {
  if (error instanceof RectiflowError && error.code !== 'internal') {
    console.error(`error: ${error.message}`);
    return 1;
  }
  console.error(error);
  console.error(
    `\nThis is a bug in rectiflow ${version}. Please report it, with the lines above and the command that you gave.`,
  );
  return 1;
}
