import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from '../host/durable.ts';
import type { FileDigest } from '../tensor/file-digest.ts';
import { readText } from '../host/read-file.ts';
import { fileError } from '../tensor/errors.ts';

/** Of a list of names: room for a million. */
const MOST_BYTES = 64 << 20;

/** JSON: a list of names; text: one name a line. */
export const CLASS_NAME_FILES = ['classes.json', 'classnames.txt'] as const;

/**
 * The names of the classes, by label, from `classes.json` (a list) or `classnames.txt` (a name a line) in a folder; undefined
 * where there is neither.
 * @throws RectiflowError where the file holds something else, or a name twice
 */
export async function readClassNames(folder: string): Promise<readonly string[] | undefined> {
  for (const file of CLASS_NAME_FILES) {
    const path = join(folder, file);
    const text = await readIfThere(path);
    if (text === undefined) continue;
    const names = file.endsWith('.json')
      ? parseJsonNames(text, path)
      : Array.from(text.trimEnd().split('\n'), (name) => name.trim());
    checkNames(names, path);
    return names;
  }
  return undefined;
}

/** Writes classes.json into a folder; `checkNames` refuses names that cannot be read again. */
export async function writeClassNames(
  folder: string,
  names: readonly string[],
): Promise<FileDigest & { readonly name: string }> {
  const [name] = CLASS_NAME_FILES;
  return { name, ...(await writeDurably(join(folder, name), [Buffer.from(`${JSON.stringify(names)}\n`)])) };
}

/**
 * @param path of the file that holds them, or shall hold them
 * @param advice what to do
 * @throws RectiflowError where a class has no name, or two have the same
 */
export function checkNames(
  names: readonly string[],
  path: string,
  advice = 'Give each class a name of its own',
): void {
  const seen = new Set(['']);
  const odd = names.findIndex((name) => {
    const isOdd = seen.has(name);
    seen.add(name);
    return isOdd;
  });
  if (odd === -1) return;
  const problem = names[odd] === '' ? `name ${odd} is empty` : `the class "${names[odd]}" comes twice`;
  throw fileError(path, problem, advice);
}

function parseJsonNames(text: string, path: string): string[] {
  let names: unknown;
  try {
    names = JSON.parse(text);
  } catch (cause) {
    throw fileError(
      path,
      `holds no valid JSON (${(cause as Error).message})`,
      'Write a list of names',
      cause,
    );
  }
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  throw fileError(
    path,
    'is no list of names',
    'Write a list such as ["cat", "dog"], the name of class 0 first',
  );
}

async function readIfThere(path: string): Promise<string | undefined> {
  return existsSync(path) ? readText(path, 'Check the file', MOST_BYTES) : undefined;
}
