// What of an image's transforms is done before it is encoded, and what is drawn when its latents are read.
import { dataError } from '../../tensor/errors.ts';
import type { Transform } from '../settings.ts';

export interface SplitFlips {
  /** Without being mirrored. */
  readonly plain: readonly Transform[];
  /** Always mirrored; absent where images never are. */
  readonly mirrored?: readonly Transform[];
  /** How often images were to be mirrored. */
  readonly flip: number;
}

/**
 * Takes flips out of transforms. All else has to be the same in every epoch, as an image is encoded once.
 * @param name of the data, for errors
 * @throws RectiflowError naming the transforms that are drawn
 */
export function splitFlips(transforms: readonly Transform[], name: string): SplitFlips {
  const random = transforms.filter(({ kind }) => kind === 'random-crop' || kind === 'random-resized-crop');
  if (random.length > 0) {
    const kinds = random.map(({ kind }) => kind).join(', ');
    const problem = `data.transforms has ${kinds}, which is another in every epoch, and an image is encoded once`;
    throw dataError(
      name,
      problem,
      'Set data.transforms to a resize and a center-crop, or data.size to the size',
    );
  }
  const flips = transforms.filter((transform) => transform.kind === 'horizontal-flip');
  // Mirrored twice is not mirrored.
  const flip = flips.reduce((odd, { probability }) => odd + probability - 2 * odd * probability, 0);
  const withFlips = (mirrored: boolean): Transform[] => {
    let isLeft = mirrored;
    return transforms.map((transform) => {
      if (transform.kind !== 'horizontal-flip') return transform;
      const probability = isLeft ? 1 : 0;
      isLeft = false;
      return { ...transform, probability };
    });
  };
  return { plain: withFlips(false), ...(flip > 0 && { mirrored: withFlips(true) }), flip };
}
