import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkRegular } from '../host/regular-file.ts';
import { dataError, fileError, systemProblem } from '../tensor/errors.ts';

/** More files than any set has; a slip such as {0..9999999999} is refused instead of filling memory. */
const MOST_NAMES = 1_000_000;
const WILD = /[*?[]/;

/**
 * The files that paths and patterns name, sorted, each once. Patterns: `*` and `?` within a name, `**` for any folders,
 * `[a-z]`, `[!a-z]`, `{a,b}`, and `{000..009}` for numbers, with as many digits. Names that start with a dot match only a
 * pattern that does so too. A path that is there as it stands is that file, whatever letters it has.
 * @param what the files are called in errors
 * @throws RectiflowError where a pattern matches nothing, or a path is not there or is a folder
 */
export async function expandPaths(paths: string | readonly string[], what: string): Promise<string[]> {
  const patterns = typeof paths === 'string' ? [paths] : paths;
  if (patterns.length === 0) throw dataError(what, 'no path is given', 'Set data.path');
  const found = new Set<string>();
  for (const pattern of patterns) {
    for (const path of await expandPattern(pattern)) found.add(path);
  }
  return [...found].toSorted();
}

async function expandPattern(pattern: string): Promise<string[]> {
  if (await isFile(pattern)) return [pattern];
  const files: string[] = [];
  for (const path of expandBraces(pattern, pattern)) {
    // The files of {000..009} are meant each: one that is missing is a hole in the set.
    for (const file of WILD.test(path) ? await matching(path) : [await existing(path)]) files.push(file);
  }
  if (files.length > 0) return files;
  throw fileError(pattern, 'matches no files', 'Check the path and the pattern');
}

async function existing(path: string): Promise<string> {
  await checkRegular(path).catch((error: NodeJS.ErrnoException) => {
    const pattern = `Name its files with a pattern such as ${join(path, '*')}`;
    throw fileError(path, systemProblem(error), error.code === 'EISDIR' ? pattern : 'Check the path', error);
  });
  return path;
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** `{a,b}` and `{000..009}`, nested too; a brace that holds neither stands for itself. */
function expandBraces(pattern: string, whole: string): string[] {
  const brace = innermostBrace(pattern);
  if (brace === undefined) return [pattern.replaceAll('\0', '{').replaceAll('\u0001', '}')];
  const [start, end] = brace;
  const inside = pattern.slice(start + 1, end);
  // Put out of the way of the search, and back at its end.
  const choices =
    numberRange(inside, whole) ?? (inside.includes(',') ? inside.split(',') : [`\0${inside}\u0001`]);
  const expanded = choices.map((choice) => pattern.slice(0, start) + choice + pattern.slice(end + 1));
  const paths: string[] = [];
  for (const path of expanded) {
    for (const name of expandBraces(path, whole)) paths.push(name);
    if (paths.length > MOST_NAMES) throw tooMany(whole);
  }
  return paths;
}

function innermostBrace(pattern: string): [number, number] | undefined {
  const end = pattern.indexOf('}');
  const start = pattern.lastIndexOf('{', end);
  return end === -1 || start === -1 ? undefined : [start, end];
}

function numberRange(text: string, whole: string): string[] | undefined {
  const match = /^(\d+)\.\.(\d+)$/.exec(text);
  if (match === null) return undefined;
  const [, first, last] = match as unknown as [string, string, string];
  const [from, to] = [Number(first), Number(last)];
  const count = to - from + 1;
  if (count < 1)
    throw fileError(whole, `counts down from ${first} to ${last}`, 'Give the smaller number first');
  if (count > MOST_NAMES) throw tooMany(whole);
  return Array.from({ length: count }, (_, i) => String(from + i).padStart(first.length, '0'));
}

function tooMany(pattern: string): Error {
  return fileError(pattern, `names more than ${MOST_NAMES} files`, 'Check the ranges in its braces');
}

/** The files that match a pattern without braces. */
async function matching(pattern: string): Promise<string[]> {
  const parts = pattern.split('/');
  const isAbsolute = parts[0] === '';
  const files: string[] = [];
  const walked = new Set<string>();
  const walk = async (folder: string, index: number): Promise<void> => {
    // Several `**` lead to the same folder in many ways.
    const state = `${index} ${folder}`;
    if (walked.has(state)) return;
    walked.add(state);
    const part = parts[index]!;
    const isLast = index === parts.length - 1;
    if (part !== '**' && !WILD.test(part)) {
      const path = below(folder, part);
      if (!isLast) await walk(path, index + 1);
      else if (await isFile(path)) files.push(path);
      return;
    }
    if (part === '**' && !isLast) await walk(folder, index + 1);
    const names = part === '**' ? /^(?!\.)/ : segmentPattern(part);
    for (const entry of await list(folder === '' ? '.' : folder)) {
      if (!names.test(entry.name)) continue;
      const path = below(folder, entry.name);
      if (isLast) {
        if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(path)))) files.push(path);
        else if (part === '**' && entry.isDirectory()) await walk(path, index);
      } else if (part === '**') {
        // Not through links, which may lead back up.
        if (entry.isDirectory()) await walk(path, index);
      } else if (entry.isDirectory() || entry.isSymbolicLink()) await walk(path, index + 1);
    }
  };
  await walk(isAbsolute ? '/' : '', isAbsolute ? 1 : 0);
  return files;
}

function below(folder: string, name: string): string {
  return folder === '' || folder.endsWith('/') ? folder + name : `${folder}/${name}`;
}

async function list(
  folder: string,
): Promise<{ name: string; isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Nothing there to match; a folder that may not be read is another matter.
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw fileError(folder, systemProblem(error), 'Check the path', error);
  }
}

/** What one name's pattern matches, in time that grows with pattern and name alone: regular expressions may take for ever. */
function segmentPattern(part: string): { test(name: string): boolean } {
  const tokens = Array.from(
    part.matchAll(/(\*+)|(\?)|\[(!?)([^\]]+)\]|[^]/gu),
    ([token, star, any, not, set]) => {
      if (star !== undefined) return STAR;
      if (any !== undefined) return () => true;
      return set === undefined ? (letter: string) => letter === token : letterSet(part, not === '!', set);
    },
  );
  const showsHidden = part.startsWith('.');
  return { test: (name) => (showsHidden || !name.startsWith('.')) && matches(tokens, [...name]) };
}

const STAR = Symbol('any letters');
type Token = typeof STAR | ((letter: string) => boolean);

function letterSet(part: string, isOther: boolean, set: string): (letter: string) => boolean {
  try {
    const letters = new RegExp(`^[${isOther ? '^' : ''}${set.replaceAll(/[\\^]/g, '\\$&')}]$`, 'u');
    return (letter) => letters.test(letter);
  } catch (error) {
    throw fileError(part, 'is no pattern', 'Check its square brackets', error);
  }
}

/** Where letters do not fit, the last star takes one more: what an earlier one would take, it can. */
function matches(tokens: readonly Token[], name: readonly string[]): boolean {
  let [token, star, from] = [0, -1, 0];
  for (let at = 0; at < name.length;) {
    const wanted = tokens[token];
    if (wanted === STAR) [star, from, token] = [token, at, token + 1];
    else if (wanted?.(name[at]!)) [token, at] = [token + 1, at + 1];
    else if (star >= 0) [token, from, at] = [star + 1, from + 1, from + 1];
    else return false;
  }
  return tokens.slice(token).every((rest) => rest === STAR);
}
