import { dataError, formatShape } from '../tensor/errors.ts';

/** [C, H, W]. */
export type ImageShape = readonly [channels: number, height: number, width: number];

/** A set of samples that can be read in any order: all that training needs to know about data. */
export interface Source {
  /** How errors call it. */
  readonly name: string;
  readonly count: number;
  /** Of every image; the values lie in [-1, 1]. */
  readonly shape: ImageShape;
  /** Labels are whole numbers in [0, classes). Absent where the samples have none. */
  readonly classes?: number;
  readonly classNames?: readonly string[];
  /**
   * Writes sample `index`'s image to out[offset .. offset + C * H * W).
   * @returns its label, -1 where the source has no classes
   */
  read(index: number, out: Float32Array, offset: number): number | Promise<number>;
}

/** What a model expects of its data. */
export interface SampleSpec {
  readonly shape: ImageShape;
  /** 0: the model takes no labels. */
  readonly classes: number;
}

/**
 * Refuses, before the first step, data that the model cannot take.
 * @throws RectiflowError naming what differs
 */
export function checkSource(source: Omit<Source, 'read'>, model: SampleSpec): void {
  const { name, count, shape, classes } = source;
  if (count === 0) throw dataError(name, 'holds no samples', 'Check where it is read from');
  if (shape.some((size, axis) => size !== model.shape[axis])) {
    const problem = `images are [C, H, W] = ${formatShape(shape)}, the model is made for ${formatShape(model.shape)}`;
    throw dataError(name, problem, 'Set model.channels and model.imageSize to the size of the data');
  }
  if (model.classes === 0) return;
  if (classes === undefined) {
    const problem = `samples have no labels, the model has ${model.classes} classes`;
    throw dataError(name, problem, 'Set model.classes to 0 to train without classes');
  }
  if (classes > model.classes) {
    const problem = `there are ${classes} classes, the model has ${model.classes}`;
    throw dataError(name, problem, `Set model.classes to ${classes} or more`);
  }
}

export function imageSize(shape: ImageShape): number {
  return shape[0] * shape[1] * shape[2];
}
