#!/usr/bin/env node
// What fails while the program itself is loaded, where few files may be open for one, is told as what fails later.
import { reportError } from './errors.ts';

try {
  const { runProgram } = await import('./program.ts');
  await runProgram();
} catch (error) {
  process.exitCode = reportError(error);
}
