import { inspect } from 'node:util';
import { version } from '../host/machine.ts';
import { RectiflowError, limitAdvice, systemProblem } from '../tensor/errors.ts';
import { linesOf, printError, writeLines } from './print.ts';

/**
 * Prints what went wrong: one message where the user can do something about it, everything there is where only we can.
 * @returns the exit code
 */
export function reportError(error: unknown): number {
  if (error instanceof RectiflowError && error.code !== 'internal') {
    writeLines(process.stderr, linesOf(`error: ${error.message}`));
    return 1;
  }
  const advice = limitAdvice(error);
  if (advice !== undefined) {
    printError(`error: ${systemProblem(error)}. ${advice}.`);
    return 1;
  }
  if (isOutOfMemory(error)) {
    printError(`error: something is larger than the memory of a program can be: ${error.message}.`);
    printError(
      'Look for a number or a file that is larger than was meant; else make the data or the model smaller.',
    );
    return 1;
  }
  writeLines(process.stderr, linesOf(inspect(error)));
  printError(
    '',
    `This is a bug in rectiflow ${version}. Please report it, with the lines above and the command that you gave.`,
  );
  return 1;
}

/** What V8 and Node.js say of arrays, buffers and texts that there is no room for. */
function isOutOfMemory(error: unknown): error is RangeError {
  return (
    error instanceof RangeError &&
    /allocation failed|Invalid (typed )?array length|Invalid string length/.test(error.message)
  );
}
