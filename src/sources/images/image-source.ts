import { createHash } from 'node:crypto';
import { type RectiflowError, dataError } from '../../tensor/errors.ts';
import { type BadSamplePolicy, mayLeaveOut } from '../../data/bad-samples.ts';
import { refuseIdentifiers } from '../../data/identifiers.ts';
import type { Inspectable } from '../../data/inspect.ts';
import { listSome } from '../../data/list-some.ts';
import type { Condition, ImageSettings } from '../settings.ts';
import { drawCaption } from '../../data/draw-caption.ts';
import type { Annotation, Captions, ReadKey, Source } from '../../data/source.ts';
import { type Unused, describeSearch, unusedOf } from '../../data/told.ts';
import { decodeImage } from './decode.ts';
import { fingerprintItems } from './items-fingerprint.ts';
import { openImage } from './open-image.ts';
import { surveyBuckets } from './bucket-survey.ts';
import { imageShapes, transformsAt } from './image-sizes.ts';
import { isFixed } from './transforms.ts';

/** Encoded images wherever they are kept. A set may have millions: what is here answers without holding them. */
export interface ImageItems {
  readonly count: number;
  /**
   * The encoded file.
   * @throws RectiflowError naming the item, where it cannot be read
   */
  bytes(index: number): Uint8Array | Promise<Uint8Array>;
  /** A whole number from 0; undefined where this one has none. Absent where the set has no labels. */
  label?(index: number): number | undefined;
  /** Absent where the set has no captions. Asked only of items that have one. */
  caption?(index: number): Captions | Promise<Captions>;
  /** Whether an item may have several captions; not by default. */
  readonly severalCaptions?: boolean;
  /** By default every item has a caption, if there are captions. */
  hasCaption?(index: number): boolean;
  /** What an item is called within its set, wherever that lies; by default items have nothing but their order. */
  key?(index: number): string;
  /** Bytes of the encoded file, where they can be had without reading it. */
  size?(index: number): number | Promise<number>;
  /** Some stored bytes, about so many at most, that are others where the image is another one; cheaper than all of `bytes`. */
  excerpt?(index: number, bytes: number): Uint8Array | Promise<Uint8Array>;
  /** The first bytes of the encoded file, so many or all that it has, where they can be had without the rest. */
  head?(index: number, bytes: number): Uint8Array | Promise<Uint8Array>;
  /** How people call an item: the path of its file, say. */
  describe(index: number): string;
  /** What is wrong with one's label or caption, where that is known before it is read: reading it throws that. */
  fault?(index: number): RectiflowError | undefined;
  close?(): Promise<void>;
}

export interface ImageSourceOptions {
  /** How errors call the set. */
  readonly name: string;
  readonly items: ImageItems;
  /** Where there are none, there are as many classes as the largest label asks for. */
  readonly classNames?: readonly string[];
  readonly settings: ImageSettings;
  readonly condition: Condition;
  /** Where labels and captions are from, and where captions were looked for. */
  readonly told?: Readonly<Partial<Record<'label' | 'caption' | 'lookedFor', string | undefined>>>;
  readonly unused?: readonly Unused[];
  readonly remarks?: readonly string[];
  /** skip: a few images may lack a usable label or caption; they are left to those who read them. fail by default. */
  readonly onBadSample?: BadSamplePolicy;
  /** Some captions, which are shown only where images are told by their captions. */
  readonly examples?: readonly string[];
}

const EXAMPLES = 16;

/** Captions from all over the set, without those that cannot be read. */
export async function exampleCaptions(items: ImageItems): Promise<string[]> {
  if (items.caption === undefined) return [];
  const most = Math.min(EXAMPLES, items.count);
  const spread = Array.from({ length: most }, (_, i) => Math.floor((i * items.count) / most));
  const captions = await Promise.allSettled(
    spread.filter((index) => items.hasCaption?.(index) ?? true).map(async (index) => items.caption!(index)),
  );
  return captions.flatMap((result) =>
    result.status === 'fulfilled' ? [result.value].flat().slice(0, 1) : [],
  );
}

/**
 * As `imageSource`; where the settings ask for buckets, each image is assigned to one first, by the header of its file.
 * @throws RectiflowError as `imageSource` does, and where images fit no bucket
 */
export async function openImageSource(options: ImageSourceOptions): Promise<Source & Inspectable> {
  const { items, settings, onBadSample = 'fail' } = options;
  const { buckets } = settings;
  if (buckets === undefined) return imageSource(options);
  const { of, faults } = await surveyBuckets(items, { ...settings, buckets }, onBadSample);
  const fault = (index: number): RectiflowError | undefined => items.fault?.(index) ?? faults.get(index);
  return imageSource({ ...options, items: { ...items, ...(faults.size > 0 && { fault }) } }, of);
}

/**
 * A source of images that are decoded when they are read, several at once, off the JavaScript thread.
 * @param bucketOf the place of an image's bucket, where the settings ask for buckets
 * @throws RectiflowError where the transforms leave the size open, or labels or captions that the condition needs are missing
 */
export function imageSource(
  options: ImageSourceOptions,
  bucketOf?: (index: number) => number,
): Source & Inspectable {
  const { name, items, classNames, settings, told = {}, remarks, examples } = options;
  const { shape, shapes } = imageShapes(settings);
  checkFaults(options);
  const condition = chooseCondition(options);
  const classes = condition === 'class' ? countClasses(options) : undefined;
  const by = condition === 'caption' ? told.caption : condition === 'class' ? told.label : undefined;
  const hasSeveral = condition === 'caption' && items.severalCaptions === true;
  const captionAt = (index: number): Captions | Promise<Captions> => {
    refuseFault(items, index);
    if (!isCaptioned(items, index)) throw withoutOne(items, index, 'caption');
    return items.caption!(index);
  };
  const annotate = async (index: number, key: ReadKey): Promise<Annotation> => {
    if (condition === 'caption') return { caption: drawCaption(await captionAt(index), key, index) };
    refuseFault(items, index);
    if (condition === 'none') return {};
    const label = items.label!(index);
    if (label === undefined) throw withoutOne(items, index, 'label');
    return { label };
  };
  return {
    name,
    count: items.count,
    shape,
    ...(shapes && { sizes: { shapes, ...(bucketOf && { of: bucketOf }) } }),
    ...(classes === undefined ? {} : { classes }),
    ...(classes === undefined || classNames === undefined ? {} : { classNames }),
    ...(condition === 'caption' ? { captions: true, ...(examples && { examples }) } : {}),
    told: {
      ...(by !== undefined && { by }),
      ...(told.lookedFor !== undefined && { lookedFor: told.lookedFor }),
    },
    unused: [...(options.unused ?? []), ...untold(options, condition)],
    ...(remarks && { remarks }),
    ...(hasSeveral && { severalCaptions: true }),
    isFixed: isFixed({ transforms: transformsAt(settings) }) && !hasSeveral,
    async read(index, out, offset, key) {
      const bytes = await items.bytes(index);
      const image = { bytes, origin: items.describe(index), settings, key, index };
      const placement = await decodeImage(image, out, offset);
      const annotation = await annotate(index, key);
      return key.placement ? { ...annotation, placement } : annotation;
    },
    async inspect(index) {
      const bytes = await items.bytes(index);
      const { size, format, hasMore } = await openImage(bytes, items.describe(index), settings.maxPixels);
      return { digest: createHash('sha256').update(bytes).digest('hex'), ...size, format, hasMore };
    },
    ...(condition === 'caption' ? { caption: captionAt } : {}),
    describe: (index) => items.describe(index),
    fingerprint: () => fingerprintItems(items, condition, classNames),
    ...(items.close === undefined ? {} : { close: () => items.close!() }),
  };
}

/** Captions that only some images have, where classes are told in their place; classes where captions are. */
function untold({ items, condition, told }: ImageSourceOptions, chosen: Condition): Unused[] {
  if (condition === 'auto' && chosen === 'caption' && items.label !== undefined) {
    const isLabelled = countWhere(items.count, (index) => items.label!(index) !== undefined) > 0;
    return isLabelled ? [unusedOf('set of labels', [told?.label ?? 'by number'])] : [];
  }
  if (condition !== 'auto' || chosen !== 'class' || items.caption === undefined) return [];
  const captioned = Array.from({ length: items.count }, (_, index) => index).filter((index) =>
    isCaptioned(items, index),
  );
  if (captioned.length === 0) return [];
  const examples = captioned.slice(0, 5).map((index) => items.describe(index));
  const advice =
    'Only some images have one: give each image a caption to train on captions, or set data.condition to class.';
  return [{ what: 'caption', count: captioned.length, examples, advice }];
}

function isCaptioned(items: ImageItems, index: number): boolean {
  return items.caption !== undefined && (items.hasCaption?.(index) ?? true);
}

function withoutOne(items: ImageItems, index: number, what: 'label' | 'caption'): RectiflowError {
  return dataError(items.describe(index), `has no ${what}`, 'Give it one, or remove the image');
}

function refuseFault(items: ImageItems, index: number): void {
  const fault = items.fault?.(index);
  if (fault) throw fault;
}

/** @throws RectiflowError of the first fault that is known, where the policy does not leave them out */
function checkFaults({ items, onBadSample = 'fail' }: ImageSourceOptions): void {
  if (items.fault === undefined) return;
  const faults = Array.from({ length: items.count }, (_, index) => items.fault!(index)).filter(
    (fault) => fault !== undefined,
  );
  const [first] = faults;
  if (first && !mayLeaveOut(onBadSample, faults.length, items.count)) throw first;
}

function chooseCondition(options: ImageSourceOptions): Exclude<Condition, 'auto'> {
  const { items, condition, onBadSample = 'fail' } = options;
  const hasCaption = (index: number): boolean => isCaptioned(items, index);
  const isLabelled = (index: number): boolean => items.label?.(index) !== undefined;
  const captions = countWhere(items.count, hasCaption);
  const labels = countWhere(items.count, isLabelled);
  const all = items.count;
  let chosen = condition;
  if (chosen === 'auto') {
    if (captions === all) chosen = 'caption';
    else if (labels > 0) chosen = 'class';
    else chosen = captions > 0 ? 'caption' : 'none';
  }
  const isRefused = (having: number): boolean =>
    having < all && (having === 0 || !mayLeaveOut(onBadSample, all - having, all));
  if (chosen === 'caption' && isRefused(captions))
    throw lacking(options, 'caption', hasCaption, all - captions);
  if (chosen === 'class' && isRefused(labels)) throw lacking(options, 'label', isLabelled, all - labels);
  return chosen;
}

function lacking(
  { name, items, told, unused }: ImageSourceOptions,
  what: 'label' | 'caption',
  has: (index: number) => boolean,
  missing: number,
): RectiflowError {
  const advice = `Give each image a ${what}, or set data.condition to ${what === 'label' ? 'caption' : 'class'} or none`;
  if (missing === items.count) {
    const search = what === 'caption' ? describeSearch(told?.lookedFor, unused) : '';
    return dataError(name, `the images have no ${what}s`, `${advice}.${search}`);
  }
  const without = Array.from({ length: items.count }, (_, index) => index).filter((index) => !has(index));
  const named = listSome(without.map((index) => items.describe(index)));
  return dataError(name, `${missing} of ${items.count} images have no ${what}: ${named}`, advice);
}

function countClasses({ name, items, classNames, onBadSample = 'fail' }: ImageSourceOptions): number {
  let classes = classNames?.length ?? 0;
  const bad: number[] = [];
  for (let index = 0; index < items.count; index++) {
    const label = items.label!(index);
    if (label === undefined) continue;
    const isLabel = Number.isSafeInteger(label) && label >= 0;
    if (!isLabel || (classNames !== undefined && label >= classNames.length)) bad.push(index);
    else classes = Math.max(classes, label + 1);
  }
  const [first] = bad;
  if (first !== undefined && !mayLeaveOut(onBadSample, bad.length, items.count)) {
    const range = classNames === undefined ? '0 upwards' : `[0, ${classNames.length}), one per class name`;
    const problem = `${items.describe(first)} has label ${items.label!(first)}`;
    throw dataError(name, problem, `Labels must be whole numbers in ${range}`);
  }
  if (classNames === undefined) refuseIdentifiers(name, classes, items.count);
  return classes;
}

function countWhere(count: number, holds: (index: number) => boolean): number {
  let found = 0;
  for (let index = 0; index < count; index++) if (holds(index)) found++;
  return found;
}
