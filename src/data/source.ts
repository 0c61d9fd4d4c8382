import { counted } from '../tensor/counted.ts';
import { dataError, formatShape } from '../tensor/errors.ts';
import { type Shape, sameShape } from '../tensor/shape.ts';
import type { SampleSizes } from './sample-sizes.ts';
import type { Told, Unused } from './told.ts';

/** [C, H, W]. */
export type ImageShape = readonly [channels: number, height: number, width: number];

/** What random transforms of a sample are a function of, beside its index. */
export interface ReadKey {
  readonly seed: number;
  readonly epoch: number;
  /** One of `sizes`; the source's `shape` by default. */
  readonly shape?: Shape;
  /** Whether the annotation is to tell how the image was cropped and resized. */
  readonly placement?: boolean;
}

/** A caption of a sample, or several, of which one is drawn in each epoch. */
export type Captions = string | readonly string[];

/** Bytes or characters of a caption: longer text is no caption, and tokenizers take time for it. */
export const MOST_CAPTION: number = 256 << 10;

/** How an image came to what a model sees of it, in pixels. */
export interface Placement {
  /** Before anything was done to it, upright. */
  readonly original: readonly [height: number, width: number];
  /** Where what is left of it begins, in the image as it was resized. */
  readonly crop: readonly [top: number, left: number];
  /** What it is to be; what the sample has by default. */
  readonly target?: readonly [height: number, width: number];
}

/** What is known of a sample beside its values. */
export interface Annotation {
  /** In [0, classes). */
  readonly label?: number;
  readonly caption?: string;
  /** Where the key asks for it, and the source knows. */
  readonly placement?: Placement;
  /** The noise that the sample was made of, of its shape: the other end of its path. */
  readonly noise?: Float32Array;
}

/** The model that made samples of noise. */
export interface PairedBy {
  /** A digest of its weights. */
  readonly weights: string;
  /** How people call it: a run and a step. */
  readonly model: string;
}

/** What can be told of a set of samples without reading them: what a model has to be made for. */
export interface SourceFacts {
  /** How errors call it. */
  readonly name: string;
  readonly count: number;
  /** Of every sample: [C, H, W] for images, whose values lie in [-1, 1]; [G] for gene expression. */
  readonly shape: Shape;
  /** Where samples are read at several shapes: `shape` is one of them, at which they are read where nothing else is said. */
  readonly sizes?: SampleSizes;
  /** Labels are whole numbers in [0, classes). Absent where the samples have none. */
  readonly classes?: number;
  readonly classNames?: readonly string[];
  /** Whether every sample has a caption. */
  readonly captions?: boolean;
  /** Whether samples may have several, of which one is drawn in each epoch. */
  readonly severalCaptions?: boolean;
  /** Where every sample comes with the noise that it was made of: by which model. */
  readonly paired?: PairedBy;
  /**
   * What samples of a trained model cannot be used without: the names of the genes and how they were normalised, the scale
   * of latents. Plain JSON; stored with the weights.
   */
  readonly record?: Readonly<Record<string, unknown>>;
  /** Where what is told of the samples is from. */
  readonly told?: Told;
  /** What was found beside the samples and is not used: files that look like images, columns that look like captions. */
  readonly unused?: readonly Unused[];
  /** What is odd about the set as a whole, each a sentence with what to do. */
  readonly remarks?: readonly string[];
  /** Some captions of the set, to try a model with. */
  readonly examples?: readonly string[];
}

/** A set of samples that can be read in any order: all that training needs to know about data. */
export interface Source extends SourceFacts {
  /**
   * Writes sample `index`'s values to out[offset .. offset + size of the key's shape). Several reads may be under way at once.
   * @throws RectiflowError naming the file, where this one sample cannot be read: the run's policy decides what happens then
   */
  read(index: number, out: Float32Array, offset: number, key: ReadKey): Annotation | Promise<Annotation>;
  /** Samples have the same values in every epoch, and take work to read: worth to be kept in memory. */
  readonly isFixed?: boolean;
  /** A sample's captions, where there are captions and they can be had without reading the sample's values. */
  caption?(index: number): Captions | Promise<Captions>;
  /** How people call a sample: the path of its file, say. By default `sample <index>`. */
  describe?(index: number): string;
  /**
   * A digest that tells this set from another, cheap to make, and the same wherever the set lies: it changes where samples are
   * added, removed, renamed or labelled anew, and as far as that can be seen cheaply where their contents change. Stored with the
   * weights, and compared when data meet them again.
   */
  fingerprint?(): string | Promise<string>;
  /** Closes files. */
  close?(): Promise<void>;
}

/** What a model expects of its data. */
export interface SampleSpec {
  readonly shape: Shape;
  /** 0: the model takes no labels. */
  readonly classes: number;
  /** Whether it takes captions; not by default. */
  readonly captions?: boolean;
}

/**
 * Refuses, before the first step, data that the model cannot take.
 * @throws RectiflowError naming what differs
 */
export function checkSource(source: SourceFacts, model: SampleSpec): void {
  const { name, count, shape, classes } = source;
  if (count === 0) throw dataError(name, 'holds no samples', 'Check where it is read from');
  if (!sameShape(shape, model.shape)) {
    const [what, settings] =
      shape.length === 1
        ? ['cells are [G]', 'model.genes']
        : ['images are [C, H, W]', 'model.channels and model.imageSize'];
    const problem = `${what} = ${formatShape(shape)}, the model is made for ${formatShape(model.shape)}`;
    throw dataError(name, problem, `Set ${settings} to the size of the data`);
  }
  if (model.captions && !source.captions) {
    throw dataError(
      name,
      'samples have no captions, the model takes them',
      'Set data.condition to class or none',
    );
  }
  if (model.classes === 0) return;
  if (classes === undefined) {
    const problem = `samples have no labels, the model has ${counted(model.classes, 'class')}`;
    throw dataError(name, problem, 'Set model.classes to 0 to train without classes');
  }
  if (classes > model.classes) {
    const problem = `there are ${counted(classes, 'class')}, the model has ${model.classes}`;
    throw dataError(name, problem, `Set model.classes to ${classes} or more`);
  }
}

/** Whether samples can be shown: images, grey or RGB, whose values mean what they mean in images (no latents). */
export function isPicture(shape: Shape, record: SourceFacts['record']): shape is ImageShape {
  return shape.length === 3 && (shape[0] === 1 || shape[0] === 3) && record === undefined;
}

export function imageSize(shape: ImageShape): number {
  return shape[0] * shape[1] * shape[2];
}

/** How people call a sample of a source. */
export function nameOfSample(source: Source, index: number): string {
  return source.describe?.(index) ?? `sample ${index} of ${source.name}`;
}
