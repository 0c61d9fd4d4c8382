// Images that are read at several sizes: which there are, and what makes an image one of them.
import type { ImageShape } from '../../data/source.ts';
import type { Shape } from '../../tensor/shape.ts';
import type { ImageSettings, Transform } from '../settings.ts';
import { bucketsOf, squareBucket } from './buckets.ts';
import { type Size, outputShape, sameSize, toSize } from './transforms.ts';

type SizeSettings = Pick<ImageSettings, 'channels' | 'transforms' | 'sizes' | 'buckets' | 'crop'>;

export interface ImageShapes {
  /** That models are made for: of several, the largest; of buckets, the square. */
  readonly shape: ImageShape;
  /** Where there are several. */
  readonly shapes?: readonly ImageShape[];
}

/**
 * [C, H, W] of the images that settings make.
 * @throws RectiflowError as `outputShape` does
 */
export function imageShapes(settings: SizeSettings): ImageShapes {
  const { channels, sizes, buckets } = settings;
  const toShape = ({ height, width }: Size): ImageShape => [channels, height, width];
  if (buckets) return listed(bucketsOf(buckets).map(toShape), toShape(squareBucket(buckets)));
  if (sizes === undefined) return { shape: outputShape(settings) };
  const shapes = sizes.map(toSize);
  const area = ({ height, width }: Size): number => height * width;
  const largest = shapes.reduce((most, size) => (area(size) > area(most) ? size : most));
  return listed(shapes.map(toShape), toShape(largest));
}

/** The very objects of the list, so that whoever compares shapes need not compare numbers. */
function listed(shapes: readonly ImageShape[], [, height, width]: ImageShape): ImageShapes {
  const isIt = ([, tall, wide]: ImageShape): boolean =>
    sameSize({ height, width }, { height: tall, width: wide });
  return { shape: shapes.find(isIt)!, shapes };
}

/**
 * What is done to an image that is read at a shape: of several sizes, it is resized to cover that, cropped, and then transformed.
 * @param shape one of `imageShapes`; that which models are made for by default
 */
export function transformsAt(settings: SizeSettings, shape?: Shape): readonly Transform[] {
  const { transforms, sizes, buckets, crop = 'center' } = settings;
  if (sizes === undefined && buckets === undefined) return transforms;
  const [, height, width] = (shape ?? imageShapes(settings).shape) as ImageShape;
  const size = [height, width] as const;
  return [{ kind: 'resize-to-cover', size }, { kind: `${crop}-crop`, size }, ...transforms];
}
