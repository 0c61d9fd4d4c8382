// Aspect buckets: sizes of about one area, of which each image is read at the one that it fits best.
import type { BucketSettings } from '../settings.ts';
import { type Size, fits, formatSize, sameSize } from './transforms.ts';

/** More shapes than this are more programs than anyone waits for. */
export const MOST_BUCKETS = 256;

/**
 * For each width the tallest size that the area and the aspect allow, for each height the widest, and the largest square; from
 * tall to wide. Sides are multiples of the step.
 */
export function bucketsOf(settings: Omit<BucketSettings, 'upscale'>): Size[] {
  const { area, step, maxAspect } = settings;
  const sizes = [squareBucket(settings)];
  for (let side = step; side <= longestSide(settings); side += step) {
    const other = Math.floor(area / side / step) * step;
    if (Math.max(side, other) > maxAspect * Math.min(side, other)) continue;
    sizes.push({ height: other, width: side }, { height: side, width: other });
  }
  const different = sizes.filter((size, i) => sizes.findIndex((each) => sameSize(each, size)) === i);
  return different.toSorted((a, b) => aspectOf(a) - aspectOf(b) || a.width - b.width);
}

/** Sides are at most this long: the other one would be too short. */
function longestSide({ area, step, maxAspect }: Omit<BucketSettings, 'upscale'>): number {
  return Math.min(area / step, Math.sqrt(area * maxAspect));
}

/** Whether there are more buckets than there may be. */
export function areTooMany(settings: Omit<BucketSettings, 'upscale'>): boolean {
  const isLong = longestSide(settings) / settings.step > 4 * MOST_BUCKETS;
  return isLong || bucketsOf(settings).length > MOST_BUCKETS;
}

/** The largest square, which models are made for. */
export function squareBucket({ area, step }: Pick<BucketSettings, 'area' | 'step'>): Size {
  const side = Math.max(1, Math.floor(Math.sqrt(area) / step)) * step;
  return { height: side, width: side };
}

/** Width by height. */
function aspectOf({ height, width }: Size): number {
  return width / height;
}

/**
 * The place of the bucket whose aspect is nearest to an image's, by the logarithm of their ratio; the larger one of two.
 * @param upscale whether images may be enlarged: otherwise only those are looked at that the image covers as it is
 * @returns undefined where there is none
 */
export function nearestBucket(image: Size, buckets: readonly Size[], upscale: boolean): number | undefined {
  let nearest: number | undefined;
  let [least, most] = [Infinity, 0];
  for (const [place, bucket] of buckets.entries()) {
    if (!upscale && !fits(bucket, image)) continue;
    const distance = Math.abs(Math.log(aspectOf(image) / aspectOf(bucket)));
    const area = bucket.height * bucket.width;
    if (distance > least || (distance === least && area <= most)) continue;
    [nearest, least, most] = [place, distance, area];
  }
  return nearest;
}

/** The share of an image's area that is cut off where it is resized to cover a size and cropped to it. */
export function croppedShare(image: Size, to: Size): number {
  const ratio = aspectOf(image) / aspectOf(to);
  return 1 - Math.min(ratio, 1 / ratio);
}

/** The one of the least area, as errors name it: `40x48`. */
export function smallestBucket(buckets: readonly Size[]): string {
  const area = ({ height, width }: Size): number => height * width;
  return formatSize(buckets.reduce((least, each) => (area(each) < area(least) ? each : least)));
}
