import { counted } from '../tensor/counted.ts';
import { dataError, formatShape } from '../tensor/errors.ts';
import { type BadSamplePolicy, mayLeaveOut } from './bad-samples.ts';
import { drawCaption } from './draw-caption.ts';
import { refuseIdentifiers } from './identifiers.ts';
import { type Annotation, type Captions, type ImageShape, type Source, imageSize } from './source.ts';
import type { Told } from './told.ts';

export interface ArrayOptions {
  /** [N, C, H, W], row-major: bytes are 0 (black) to 255, floats are in [-1, 1] already. */
  readonly images: Uint8Array | Float32Array;
  readonly shape: ImageShape;
  /** One whole number in [0, classes) per image. */
  readonly labels?: ArrayLike<number>;
  /** Defaults to one more than the largest label. */
  readonly classes?: number;
  readonly classNames?: readonly string[];
  /** One per image, or several, of which one is drawn in each epoch. */
  readonly captions?: readonly Captions[];
  /** Where labels and captions are from. */
  readonly told?: Told;
  /** How errors call the set. */
  readonly name?: string;
  /** Set it for latents: floats are then only required to be finite. */
  readonly unbounded?: boolean;
  /** skip: a few labels may be none that a class has; the samples are left to those who read them. fail by default. */
  readonly onBadSample?: BadSamplePolicy;
}

/**
 * A source of images that are in memory; without a fingerprint, which the package for Node.js adds.
 * @throws RectiflowError when the lengths disagree, a label is out of range, or a float is not finite or not in [-1, 1]
 */
export function arraySource(options: ArrayOptions): Source {
  const { images, shape, labels, captions, name = 'arrays' } = options;
  const size = imageSize(shape);
  if (shape.some((axis) => !Number.isInteger(axis) || axis < 1)) {
    throw dataError(name, `shape is ${formatShape(shape)}`, 'Give [C, H, W], each a whole number above 0');
  }
  if (images.length % size !== 0) {
    const problem = `${counted(images.length, 'value')} are no whole number of ${formatShape(shape)} images of ${counted(size, 'value')}`;
    throw dataError(name, problem, 'Check the shape: it is [C, H, W], without the number of images');
  }
  const count = images.length / size;
  if (captions && captions.length !== count) {
    const problem = `there are ${counted(count, 'image')} and ${counted(captions.length, 'caption')}`;
    throw dataError(name, problem, 'Give one caption per image, or a list of several');
  }
  if (images instanceof Float32Array) checkValues(images, size, name, options.unbounded === true);
  const classes = labels === undefined ? undefined : checkLabels(labels, count, options);
  return {
    name,
    count,
    shape,
    ...(classes === undefined ? {} : { classes }),
    ...(options.classNames === undefined ? {} : { classNames: options.classNames }),
    ...(options.told && { told: options.told }),
    ...(captions && captionFacts(captions)),
    read(index, out, offset, key) {
      const image = images.subarray(index * size, (index + 1) * size);
      if (image instanceof Float32Array) out.set(image, offset);
      else for (let i = 0; i < size; i++) out[offset + i] = image[i]! / 127.5 - 1;
      const annotation: Annotation = labels === undefined ? {} : { label: labels[index]! };
      return captions ? { ...annotation, caption: drawCaption(captions[index]!, key, index) } : annotation;
    },
  };
}

/** Captions to try a model with. */
const mostExamples = 8;

function captionFacts(
  captions: readonly Captions[],
): Required<Pick<Source, 'captions' | 'severalCaptions' | 'examples' | 'caption'>> {
  const examples = new Set<string>();
  for (const each of captions) {
    if (examples.size === mostExamples) break;
    examples.add(typeof each === 'string' ? each : each[0]!);
  }
  return {
    captions: true,
    severalCaptions: captions.some((each) => typeof each !== 'string'),
    examples: [...examples],
    caption: (index) => captions[index]!,
  };
}

function checkValues(images: Float32Array, size: number, name: string, unbounded: boolean): void {
  // Room for the rounding of an affine map onto [-1, 1], not for another range.
  const bound = unbounded ? Number.MAX_VALUE : 1.001;
  for (let i = 0; i < images.length; i++) {
    if (Math.abs(images[i]!) <= bound) continue;
    const problem = `sample ${Math.floor(i / size)} holds the value ${images[i]}`;
    const advice = unbounded
      ? 'Values must be finite'
      : 'Scale images to [-1, 1], or set unbounded for latents';
    throw dataError(name, problem, advice);
  }
}

/**
 * @returns the number of classes
 * @throws RectiflowError naming the sample whose label is none, or where labels, classes and names do not fit
 */
export function checkLabels(
  labels: ArrayLike<number>,
  count: number,
  options: Pick<ArrayOptions, 'name' | 'classes' | 'classNames' | 'onBadSample'>,
): number {
  const { name = 'arrays', classNames, onBadSample = 'fail' } = options;
  if (labels.length !== count) {
    throw dataError(
      name,
      `there are ${counted(count, 'image')} and ${counted(labels.length, 'label')}`,
      'Give one label per image',
    );
  }
  const known = options.classes ?? classNames?.length;
  if (classNames !== undefined && classNames.length !== known) {
    const problem = `there are ${known} classes and ${counted(classNames.length, 'class name')}`;
    throw dataError(name, problem, 'Give one name per class');
  }
  let largest = -1;
  const bad: number[] = [];
  for (let i = 0; i < count; i++) {
    const label = labels[i]!;
    if (Number.isInteger(label) && label >= 0 && label < (known ?? Infinity))
      largest = Math.max(largest, label);
    else bad.push(i);
  }
  if (bad.length > 0 && !mayLeaveOut(onBadSample, bad.length, count)) {
    const first = `sample ${bad[0]} has label ${labels[bad[0]!]}`;
    const problem = bad.length === 1 ? first : `${bad.length} of ${count} labels are none; ${first}`;
    throw dataError(name, problem, `Labels must be whole numbers in [0, ${known ?? 'classes'})`);
  }
  if (known === undefined) refuseIdentifiers(name, largest + 1, count);
  return known ?? largest + 1;
}
