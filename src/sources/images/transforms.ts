import { RectiflowError, fileError, valueError } from '../../tensor/errors.ts';
import { philoxUniform } from '../../tensor/philox.ts';
import { streams } from '../../tensor/random-streams.ts';
import type { ImageSettings, RandomResizedCrop, Side, Transform } from '../settings.ts';
import type { ImageShape, ReadKey } from '../../data/source.ts';

export interface Size {
  readonly height: number;
  readonly width: number;
}

/** What is done to the pixels, in this order: whatever was to be drawn is drawn. No crop follows another. */
export type Step =
  | (Size & { readonly kind: 'resize' })
  | (Size & { readonly kind: 'crop'; readonly top: number; readonly left: number });

export interface Plan {
  readonly steps: readonly Step[];
  /** Left and right change places once the steps are done. */
  readonly mirrored: boolean;
  readonly size: Size;
  /** Where it begins in the image as it was resized and mirrored: what was cropped above it, and to its left. */
  readonly crop: readonly [top: number, left: number];
}

/** Rectangles that are tried before the fallback, and the numbers that each takes: area, proportion, top, left. */
const TRIES = 10;
const NUMBERS = 4;

/**
 * [C, H, W] that the transforms make of an image of any size.
 * @throws RectiflowError where they leave the size open, a crop cannot fit, or a setting is out of range
 */
export function outputShape({
  transforms,
  channels,
}: Pick<ImageSettings, 'transforms' | 'channels'>): ImageShape {
  let size: Size | undefined;
  transforms.forEach((transform, position) => {
    checkTransform(transform, `transforms[${position}]`);
    if (transform.kind === 'horizontal-flip') return;
    const { kind } = transform;
    if (kind === 'resize-to-cover') {
      size &&= resizeToCover(size, toSize(transform.size));
      return;
    }
    if (kind === 'resize' && typeof transform.size === 'number') {
      size &&= resizeShorter(size, transform.size);
      return;
    }
    const next = toSize(transform.size);
    if (size !== undefined && isCrop(kind) && !fits(next, size)) {
      const wanted = `no larger than the ${formatSize(size)} that come before it`;
      throw valueError(`transforms[${position}]`, 'size', wanted, formatSize(next));
    }
    size = next;
  });
  if (size === undefined) {
    throw new RectiflowError(
      'config',
      'transforms: the last size is not fixed, and a model takes images of one size. ' +
        'End with a crop or a resize to [height, width].',
    );
  }
  return [channels, size.height, size.width];
}

const RANDOM: ReadonlySet<Transform['kind']> = new Set([
  'random-crop',
  'random-resized-crop',
  'horizontal-flip',
]);

/** Whether the transforms make the same of an image in every epoch. */
export function isFixed({ transforms }: Pick<ImageSettings, 'transforms'>): boolean {
  return !transforms.some(({ kind }) => RANDOM.has(kind));
}

export interface PlanOptions {
  readonly transforms: readonly Transform[];
  /** Of the image, upright. */
  readonly size: Size;
  readonly key: ReadKey;
  /** The sample's. */
  readonly index: number;
  /** How errors call the image. */
  readonly origin: string;
  readonly maxPixels: number;
}

/**
 * Draws what is random, as a function of (seed, epoch, index) and the transform's place in the list, and works out the sizes.
 * @throws RectiflowError where a crop is larger than the image, or a resized image has too many pixels
 */
export function planTransforms({ transforms, size, key, index, origin, maxPixels }: PlanOptions): Plan {
  const steps: Step[] = [];
  let mirrored = false;
  let current = size;
  // What was cropped so far, as the image is seen by now.
  let [above, before, behind] = [0, 0, 0];
  const crop = (top: number, left: number, to: Size): void => {
    // Mirroring comes last, so a crop of the mirrored image is taken from the other side.
    const from = mirrored ? current.width - left - to.width : left;
    if (sameSize(current, to)) return;
    above += top;
    before += left;
    behind += current.width - left - to.width;
    const last = steps.at(-1);
    // A crop of a crop is one crop.
    if (last?.kind === 'crop') steps.pop();
    const outer = last?.kind === 'crop' ? last : { top: 0, left: 0 };
    steps.push({ kind: 'crop', top: outer.top + top, left: outer.left + from, ...to });
    current = to;
  };
  const resize = (to: Size): void => {
    if (to.height * to.width > maxPixels) {
      const problem = `resized to ${formatSize(to)} has more pixels than data.maxPixels = ${maxPixels}`;
      throw fileError(origin, problem, 'Remove it, or crop before resizing');
    }
    if (!sameSize(current, to)) steps.push({ kind: 'resize', ...to });
    above *= to.height / current.height;
    [before, behind] = [before, behind].map((cropped) => (cropped * to.width) / current.width) as [
      number,
      number,
    ];
    current = to;
  };
  transforms.forEach((transform, position) => {
    const numbers = drawNumbers(transform, position, key, index);
    if (transform.kind === 'horizontal-flip') {
      if (numbers[0]! < transform.probability) {
        mirrored = !mirrored;
        [before, behind] = [behind, before];
      }
      return;
    }
    const to = toSize(transform.size);
    if (transform.kind === 'resize-to-cover') return resize(resizeToCover(current, to));
    if (transform.kind === 'resize') {
      return resize(typeof transform.size === 'number' ? resizeShorter(current, transform.size) : to);
    }
    if (transform.kind === 'random-resized-crop') {
      const { top, left, ...part } = drawRectangle(current, transform, numbers);
      crop(top, left, part);
      return resize(to);
    }
    if (!fits(to, current)) {
      const problem = `is ${formatSize(current)} where the ${transform.kind} takes ${formatSize(to)} (height x width)`;
      const advice = `Put a resize to ${Math.max(to.height, to.width)} before the crop, or make the crop smaller`;
      throw fileError(origin, problem, advice);
    }
    const [tall, wide] = [current.height - to.height, current.width - to.width];
    if (transform.kind === 'center-crop') crop(tall >> 1, wide >> 1, to);
    else crop(Math.floor(numbers[0]! * (tall + 1)), Math.floor(numbers[1]! * (wide + 1)), to);
  });
  return { steps, mirrored, size: current, crop: [above, before] };
}

/** Uniform numbers of one transform of one sample. */
function drawNumbers({ kind }: Transform, position: number, key: ReadKey, index: number): Float64Array {
  if (kind === 'resize' || kind === 'resize-to-cover' || kind === 'center-crop') return new Float64Array(0);
  const perTransform = TRIES * NUMBERS;
  return philoxUniform({
    seed: key.seed,
    stream: streams.transforms,
    step: key.epoch,
    firstSample: index,
    samples: 1,
    elements: (position + 1) * perTransform,
  }).subarray(position * perTransform);
}

/**
 * A rectangle whose share of the area is uniform in `scale` and whose proportion is log-uniform in `ratio`; where ten of them
 * do not fit into the image, the largest in the middle whose proportion is in `ratio`.
 * Szegedy et al., "Going deeper with convolutions" (2015), section 6.
 */
function drawRectangle(
  { height, width }: Size,
  { scale, ratio }: RandomResizedCrop,
  numbers: Float64Array,
): Size & { top: number; left: number } {
  const [narrowest, widest] = [Math.log(ratio[0]), Math.log(ratio[1])];
  for (let draw = 0; draw < TRIES * NUMBERS; draw += NUMBERS) {
    const area = height * width * (scale[0] + numbers[draw]! * (scale[1] - scale[0]));
    const proportion = Math.exp(narrowest + numbers[draw + 1]! * (widest - narrowest));
    const part = {
      height: Math.max(1, Math.round(Math.sqrt(area / proportion))),
      width: Math.max(1, Math.round(Math.sqrt(area * proportion))),
    };
    if (!fits(part, { height, width })) continue;
    const top = Math.floor(numbers[draw + 2]! * (height - part.height + 1));
    const left = Math.floor(numbers[draw + 3]! * (width - part.width + 1));
    return { top, left, ...part };
  }
  const part = {
    height: Math.max(1, Math.min(height, Math.round(width / ratio[0]))),
    width: Math.max(1, Math.min(width, Math.round(height * ratio[1]))),
  };
  return { top: (height - part.height) >> 1, left: (width - part.width) >> 1, ...part };
}

function checkTransform(transform: Transform, where: string): void {
  if (transform.kind === 'horizontal-flip') {
    const { probability } = transform;
    if (!(probability >= 0 && probability <= 1)) {
      throw valueError(where, 'probability', 'from 0 to 1', probability);
    }
    return;
  }
  const { height, width } = toSize(transform.size);
  if (![height, width].every((side) => Number.isSafeInteger(side) && side > 0)) {
    throw valueError(
      where,
      'size',
      'a whole number above 0, or [height, width]',
      JSON.stringify(transform.size),
    );
  }
  if (transform.kind !== 'random-resized-crop') return;
  const { scale, ratio } = transform;
  if (!(scale[0] > 0 && scale[0] <= scale[1] && scale[1] <= 1)) {
    throw valueError(where, 'scale', '[least, most] with 0 < least <= most <= 1', JSON.stringify(scale));
  }
  if (!(ratio[0] > 0 && ratio[0] <= ratio[1] && Number.isFinite(ratio[1]))) {
    throw valueError(where, 'ratio', '[least, most] with 0 < least <= most', JSON.stringify(ratio));
  }
}

function isCrop(kind: Transform['kind']): boolean {
  return kind === 'center-crop' || kind === 'random-crop';
}

function resizeShorter({ height, width }: Size, shorter: number): Size {
  const factor = shorter / Math.min(height, width);
  return {
    height: Math.max(shorter, Math.round(height * factor)),
    width: Math.max(shorter, Math.round(width * factor)),
  };
}

/** The smallest size of these proportions that `to` fits into. */
function resizeToCover({ height, width }: Size, to: Size): Size {
  const factor = Math.max(to.height / height, to.width / width);
  return {
    height: Math.max(to.height, Math.round(height * factor)),
    width: Math.max(to.width, Math.round(width * factor)),
  };
}

export function toSize(side: Side): Size {
  return typeof side === 'number' ? { height: side, width: side } : { height: side[0], width: side[1] };
}

export function fits(part: Size, whole: Size): boolean {
  return part.height <= whole.height && part.width <= whole.width;
}

export function sameSize(a: Size, b: Size): boolean {
  return a.height === b.height && a.width === b.width;
}

/** `48x64`, height by width. */
export function formatSize({ height, width }: Size): string {
  return `${height}x${width}`;
}
