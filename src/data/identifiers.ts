import { dataError } from '../tensor/errors.ts';

/** Numbers beyond it, in a set that has fewer images, are identifiers rather than classes. */
const MOST_UNNAMED = 10_000;

/**
 * For labels without names, of which the largest says how many classes there are: a model has weights for each.
 * @throws RectiflowError where they can be no classes
 */
export function refuseIdentifiers(name: string, classes: number, images: number): void {
  if (classes <= Math.max(images, MOST_UNNAMED)) return;
  const problem = `labels of ${images} images go up to ${classes - 1}`;
  throw dataError(name, problem, 'Number the classes from 0 without gaps, or give them names');
}
