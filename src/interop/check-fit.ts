import { RectiflowError, formatShape } from '../tensor/errors.ts';
import { type Shape, sameShape } from '../tensor/shape.ts';
import type { LazyTensors } from './weights-file.ts';

/** Of each list that an error shows. */
const mostShown = 20;

/**
 * Compares weights with what a model needs.
 * @param model what it is, for the error: `a DiT of width 16`
 * @param advice the error's last line
 * @throws RectiflowError that lists all that is missing, all that is too much, and all of another shape, with the number of those that
 * are too many to be shown
 */
export function checkFit(
  tensors: LazyTensors,
  wanted: ReadonlyMap<string, Shape>,
  path: string,
  model: string,
  advice: string,
): void {
  const misshapen = [...wanted].flatMap(([name, shape]) => {
    const found = tensors.get(name)?.shape;
    if (found === undefined || sameShape(found, shape)) return [];
    return `${name} ${formatShape(found)}, wanted ${formatShape(shape)}`;
  });
  const missing = [...wanted.keys()].filter((name) => !tensors.has(name));
  const unexpected = [...tensors.keys()].filter((name) => !wanted.has(name));
  const problems = [
    ...list('missing', missing),
    ...list('unexpected', unexpected),
    ...list('of another shape', misshapen),
  ];
  if (problems.length === 0) return;
  throw new RectiflowError('file', [`${path}: does not fit ${model}:`, ...problems, advice]);
}

function list(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const more = lines.length - mostShown;
  const shown = more > 0 ? [...lines.slice(0, mostShown), `and ${more} more`] : lines;
  return [`  ${title}:`, ...shown.map((line) => `    ${line}`)];
}
