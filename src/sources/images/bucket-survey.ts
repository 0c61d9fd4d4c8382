// Which bucket each image of a set is read in: told by the headers of their files, which are read once.
import { type BadSamplePolicy, isHopeless, isOfSample, mayLeaveOut } from '../../data/bad-samples.ts';
import { Limit } from '../../data/limit.ts';
import { RectiflowError, fileError } from '../../tensor/errors.ts';
import type { BucketSettings, ImageSettings } from '../settings.ts';
import { bucketsOf, nearestBucket, smallestBucket, squareBucket } from './buckets.ts';
import type { ImageItems } from './image-source.ts';
import { openImage, readHeader } from './open-image.ts';
import { type Size, formatSize, sameSize } from './transforms.ts';

/** Of a file: in most, more than what tells the size of their image. */
const HEADER_BYTES = 1 << 16;
const AT_ONCE = 16;

export interface BucketSurvey {
  /** The place of each image's bucket. */
  of(index: number): number;
  /** Why an image cannot be read in any bucket. */
  readonly faults: ReadonlyMap<number, RectiflowError>;
}

/**
 * @param onBadSample skip: a few images may be smaller than every bucket, or have no header that can be read
 * @throws RectiflowError of the first image that has no bucket (fail), or where more than a twentieth have none (skip)
 */
export async function surveyBuckets(
  items: ImageItems,
  settings: Pick<ImageSettings, 'maxPixels'> & { readonly buckets: BucketSettings },
  onBadSample: BadSamplePolicy,
): Promise<BucketSurvey> {
  const { buckets: asked, maxPixels } = settings;
  const buckets = bucketsOf(asked);
  const square = squareBucket(asked);
  const places = new Uint16Array(items.count).fill(buckets.findIndex((each) => sameSize(each, square)));
  const faults = new Map<number, RectiflowError>();
  const limit = new Limit(AT_ONCE);
  const survey = async (index: number): Promise<void> => {
    try {
      const image = await readSize(items, index, maxPixels);
      const place = nearestBucket(image, buckets, asked.upscale);
      // One that has no bucket is looked for in the one that it would be in.
      places[index] = place ?? nearestBucket(image, buckets, true)!;
      if (place === undefined) faults.set(index, tooSmall(items.describe(index), image, buckets));
    } catch (error) {
      if (!isOfSample(error)) throw error;
      faults.set(index, error);
    }
  };
  // In parts: a set may have millions of images.
  const part = 1024;
  for (let first = 0; first < items.count; first += part) {
    const length = Math.min(part, items.count - first);
    await Promise.all(Array.from({ length }, (_, i) => limit.run(() => survey(first + i))));
    const isEnough = onBadSample === 'fail' && faults.size > 0;
    if (isEnough || isHopeless(faults.size, first + length))
      throw refusal(faults, first + length, onBadSample);
  }
  if (faults.size > 0 && !mayLeaveOut(onBadSample, faults.size, items.count))
    throw refusal(faults, items.count, onBadSample);
  return { of: (index) => places[index]!, faults };
}

async function readSize(items: ImageItems, index: number, maxPixels: number): Promise<Size> {
  const origin = items.describe(index);
  const head = await items.head?.(index, HEADER_BYTES);
  const size = head && (await readHeader(head));
  return size ?? (await openImage(await items.bytes(index), origin, maxPixels)).size;
}

function tooSmall(origin: string, image: Size, buckets: readonly Size[]): RectiflowError {
  const problem = `is ${formatSize(image)} (height x width), smaller than every bucket: the smallest is ${smallestBucket(buckets)}`;
  const advice =
    'Set data.buckets.upscale to true to enlarge it, make data.buckets.area smaller, or remove it';
  return fileError(origin, problem, advice);
}

/** The error of the first image, how many there are, and how to do without them. */
function refusal(
  faults: ReadonlyMap<number, RectiflowError>,
  looked: number,
  onBadSample: BadSamplePolicy,
): RectiflowError {
  const [first] = [...faults].toSorted(([a], [b]) => a - b);
  const [, error] = first!;
  const sentences = [
    error.message,
    ...(faults.size > 1
      ? [`Of ${looked} images that were looked at, ${faults.size} fit no bucket or cannot be read.`]
      : []),
    ...(onBadSample === 'fail'
      ? ['To leave out up to a twentieth of them: --set loader.onBadSample=skip']
      : []),
  ];
  return new RectiflowError(error.code, sentences.join(' '), { cause: error });
}
