// Sets whose samples are read at several shapes.
import type { Shape } from '../tensor/shape.ts';
import type { SourceFacts } from './source.ts';

/** Where samples are read at several shapes: all at each, one of which is drawn for every step; or each at its own. */
export interface SampleSizes {
  /** Each once; the source's `shape` is the one that models are made for. */
  readonly shapes: readonly Shape[];
  /** Of a set whose samples each have a shape of their own: its place in `shapes`. */
  readonly of?: (index: number) => number;
}

/** The shapes that samples of a set are read at. */
export function shapesOf({ shape, sizes }: Pick<SourceFacts, 'shape' | 'sizes'>): readonly Shape[] {
  return sizes?.shapes ?? [shape];
}

/** The shape that a sample is read at where nothing else is said: its own, where each has one, else the set's. */
export function ownShape({ shape, sizes }: Pick<SourceFacts, 'shape' | 'sizes'>, index: number): Shape {
  return sizes?.of ? sizes.shapes[sizes.of(index)]! : shape;
}

/** How files and people call a shape among others: `48x64`, height by width. */
export function nameOfShape(shape: Shape): string {
  return (shape.length === 3 ? shape.slice(1) : shape).join('x');
}
