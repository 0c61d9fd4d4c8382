import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { printable } from '../tensor/printable.ts';

/** The folder of a run: what the user gave, or `runs/<that>` where only that is one. */
export function findRun(given: string): string {
  const isRun = (folder: string): boolean => existsSync(join(folder, 'config.json'));
  const inRuns = join('runs', given);
  return !isRun(given) && isRun(inRuns) ? inRuns : given;
}

/** A path as short as it can be written here. */
export function shortPath(path: string): string {
  const short = relative('.', path);
  return short === '' ? '.' : short.startsWith('..') ? path : short;
}

/** An argument that a shell takes as one word. */
export function shellWord(text: string): string {
  if (/^[\w./:@%+=,-]+$/.test(text)) return text;
  // What would be printed otherwise than it is: shells read it by its number.
  if (printable(text) !== text) return `$'${Array.from(text, shellLetter).join('')}'`;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function shellLetter(letter: string): string {
  if (letter === "'" || letter === '\\') return `\\${letter}`;
  if (printable(letter) === letter) return letter;
  const code = letter.codePointAt(0)!.toString(16);
  return code.length > 4 ? `\\U${code.padStart(8, '0')}` : `\\u${code.padStart(4, '0')}`;
}
