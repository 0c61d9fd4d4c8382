import type { Detector, ValueRange } from './detector.ts';
import { brief } from './statistics.ts';

/** A resampled picture may go a little beyond [-1, 1]. */
const mostOfPictures = 1.01;
/** Noise has the deviation 1; data that are far wider or narrower are learnt at a few times t only. */
const deviations = [0.05, 5] as const;

/**
 * Values that are not what the model is made for: a set in [0, 255] or [0, 1], latents that are not scaled.
 * @param whose values they are, as in "the first batch"
 */
export function describeRange(
  { least, most, deviation, arePictures }: ValueRange,
  whose: string,
): string | undefined {
  const range = `${whose} holds values from ${brief(least)} to ${brief(most)}, with the deviation ${brief(deviation)}`;
  if (arePictures) {
    const isBeyond = least < -mostOfPictures || most > mostOfPictures;
    if (!isBeyond && !(least >= 0 && deviation > 0)) return undefined;
    const bytes = isBeyond ? '2 x / 255 - 1, for bytes' : '2 x - 1';
    const scale = least < -mostOfPictures ? 'the largest magnitude' : bytes;
    return `The data are not in [-1, 1]: ${range}. Scale them, such as by ${scale}, in the source that reads them.`;
  }
  if (deviation >= deviations[0] && deviation <= deviations[1]) return undefined;
  return (
    `The data are not of the scale of the noise: ${range}, where about 1 is wanted. ` +
    'Set data.shift and data.scale of latents ("rectiflow data check" says to what), or scale them in the source.'
  );
}

export const dataRange: Detector = (_, { values }) => values && describeRange(values, 'the first batch');
