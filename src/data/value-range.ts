// Whether values are of the range that a model is made for.
import type { LatentRecord } from './latents.ts';

export interface ValueRange {
  readonly least: number;
  readonly most: number;
  readonly mean: number;
  readonly deviation: number;
  /** Of latents: in what scale the model sees them. */
  readonly latents?: LatentRecord | undefined;
  /** Images that can be shown, whose values lie in [-1, 1]: no latents, no gene expression. */
  readonly arePictures: boolean;
  /** All are what a byte stands for: of pictures without dark places, rather than of another range. */
  readonly areBytes: boolean;
}

/** A resampled picture may go a little beyond [-1, 1]. */
const mostOfPictures = 1.01;
/** Noise has the deviation 1; data that are far wider or narrower are learnt at a few times t only. */
const deviations = [0.05, 5] as const;
const setScale =
  'Set data.scaling of latents, or data.shift and data.scale of an array of them ("rectiflow data check" says to what), or scale them in the source.';

/**
 * Values that are not what the model is made for: a set in [0, 255] or [0, 1], latents that are not scaled.
 * @param whose values they are, as in "the first batch"
 * @param rescale what to do about values that are not of the scale of the noise, as a sentence
 */
export function describeRange(
  { least, most, deviation, arePictures, areBytes }: ValueRange,
  whose: string,
  rescale: string = setScale,
): string | undefined {
  const [from, to, spread] = [least, most, deviation].map((value) => Number(value.toPrecision(3)));
  const range = `${whose} holds values from ${from} to ${to}, with the deviation ${spread}`;
  if (arePictures) {
    const isBeyond = least < -mostOfPictures || most > mostOfPictures;
    if (!isBeyond && (areBytes || !(least >= 0 && deviation > 0))) return undefined;
    const bytes = isBeyond ? '2 x / 255 - 1, for bytes' : '2 x - 1';
    const scale = least < -mostOfPictures ? 'the largest magnitude' : bytes;
    return `The data are not in [-1, 1]: ${range}. Scale them, such as by ${scale}, where they are made or read.`;
  }
  if (deviation >= deviations[0] && deviation <= deviations[1]) return undefined;
  return `The data are not of the scale of the noise: ${range}, where about 1 is wanted. ${rescale}`;
}
