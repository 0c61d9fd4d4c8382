// The one place that writes to the terminal. Names of files, classes or genes and answers of servers may hold anything: all that
// is printed is made printable here, and what steers the terminal is added behind that.
import type { OutputConfiguration } from 'commander';
import { printable } from '../tensor/printable.ts';

/** Where text is shown: a terminal, or a file or pipe, which gets whole lines only. */
export type Output = Pick<NodeJS.WriteStream, 'write'> & {
  readonly isTTY?: boolean;
  readonly columns?: number;
};

/** Begins the line anew. */
const clearLine = '\r\u001b[K';

/** Prints lines on standard output. */
export function print(...lines: string[]): void {
  writeLines(process.stdout, lines);
}

/** Prints lines on standard error. */
export function printError(...lines: string[]): void {
  writeLines(process.stderr, lines);
}

/** Passes on what another process of ours prints, which has made it printable. */
export function printAsItIs(bytes: Uint8Array): void {
  process.stdout.write(bytes);
}

/** Writes whole lines, each of which stays one. */
export function writeLines(output: Output, lines: readonly string[]): void {
  output.write(lines.map((line) => `${printable(line)}\n`).join(''));
}

/** Shows the last line of a terminal anew, as far as it fits. Without text it is taken away. */
export function redraw(output: Output, line = ''): void {
  output.write(clearLine + printable(line).slice(0, (output.columns ?? Infinity) - 1));
}

/** What commander says, of options and commands that it does not know, too. */
export const commanderOutput: OutputConfiguration = {
  writeOut: (text) => writeLines(process.stdout, linesOf(text)),
  writeErr: (text) => writeLines(process.stderr, linesOf(text)),
  outputError(text) {
    // What the user wrote may hold newlines; a suggestion has a line of its own.
    const [, problem, suggestion] = /^(.*?)(?:\n(\(Did you mean .*\)))?\n$/s.exec(text)!;
    printError(problem!, ...(suggestion === undefined ? [] : [suggestion]));
  },
};

/** The lines of a text whose newlines are ours. */
export function linesOf(text: string): string[] {
  return text.replace(/\n$/, '').split('\n');
}
