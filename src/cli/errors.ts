import { inspect } from 'node:util';
import { version } from '../checkpoint/machine.ts';
import { RectiflowError, limitAdvice, systemProblem } from '../tensor/errors.ts';
import { linesOf, printError } from './print.ts';

/**
 * Prints what went wrong: one message where the user can do something about it, everything there is where only we can.
 * @returns the exit code
 */
export function reportError(error: unknown): number {
  if (error instanceof RectiflowError && error.code !== 'internal') {
    printError(...linesOf(`error: ${error.message}`));
    return 1;
  }
  const advice = limitAdvice(error);
  if (advice !== undefined) {
    printError(`error: ${systemProblem(error)}. ${advice}.`);
    return 1;
  }
  printError(
    ...linesOf(inspect(error)),
    '',
    `This is a bug in rectiflow ${version}. Please report it, with the lines above and the command that you gave.`,
  );
  return 1;
}
