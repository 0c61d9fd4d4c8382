import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';

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
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
