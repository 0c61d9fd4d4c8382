import { readdir } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { LIKE_LABELS } from './annotation-columns.ts';
import type { ArrayData } from './settings.ts';
import { type Unused, unusedOf } from '../data/told.ts';
import type { TensorFile } from '../formats/tensor-file.ts';

/** The file's other tensors, or the .npy files beside it that look like labels: with advice where no labels are read. */
export async function unusedLabels(
  { path, labels }: ArrayData,
  { others = [] }: TensorFile,
): Promise<Unused[]> {
  const rest = others.filter((name) => name !== labels);
  const isLike = (name: string): boolean => labels === undefined && LIKE_LABELS.test(basename(name));
  const files =
    labels === undefined && extname(path).toLowerCase() === '.npy' ? await arraysBeside(path) : [];
  const advice = 'If it holds the classes, set data.labels to it.';
  return [
    unusedOf('tensor', rest.filter(isLike), advice),
    unusedOf('.npy file', files.filter(isLike), advice),
    unusedOf(
      'tensor',
      rest.filter((name) => !isLike(name)),
    ),
  ].filter(({ count }) => count > 0);
}

async function arraysBeside(path: string): Promise<string[]> {
  const folder = dirname(path);
  const names = await readdir(folder).catch((): string[] => []);
  return names
    .filter((name) => extname(name).toLowerCase() === '.npy' && name !== basename(path))
    .map((name) => join(folder, name));
}
