import { dataError } from '../tensor/errors.ts';
import type { LatentScale } from '../tensor/latent-scale.ts';
import { ofChannel } from './latents.ts';

/** Room for the rounding of an affine map onto [-1, 1], not for another range. */
const BOUND = 1.001;

/** Bytes, 0 to 255, to [-1, 1]. */
export function writeBytes(values: Uint8Array, out: Float32Array, offset: number): void {
  for (let i = 0; i < values.length; i++) out[offset + i] = values[i]! / 127.5 - 1;
}

/** The bytes that stand for these values, read back exactly; undefined where there are none. */
export function toBytes(values: Float32Array): Uint8Array | undefined {
  const bytes = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const byte = Math.round((values[i]! + 1) * 127.5);
    if (!(byte >= 0 && byte <= 255) || Math.fround(byte / 127.5 - 1) !== values[i]) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

/**
 * Values in [-1, 1] as they are.
 * @throws RectiflowError naming the sample and the value, where one is not
 */
export function writeBounded(values: Float32Array, out: Float32Array, offset: number, sample: string): void {
  const odd = values.find((value) => !(Math.abs(value) <= BOUND));
  if (odd !== undefined) {
    const advice = 'Scale images to [-1, 1], or set data.latents for what is no images';
    throw dataError(sample, `holds the value ${odd}`, advice);
  }
  out.set(values, offset);
}

/**
 * (value - shift) * scale.
 * @param values [C, ...], where scale and shift have a number for each channel
 * @throws RectiflowError naming the sample and the value, where one is not finite
 */
export function writeLatents(
  values: Float32Array,
  scaling: LatentScale,
  out: Float32Array,
  offset: number,
  sample: string,
): void {
  const channels = [scaling.scale, scaling.shift].find((each) => typeof each === 'object')?.length ?? 1;
  const plane = values.length / channels;
  for (let channel = 0; channel < channels; channel++) {
    const [scale, shift] = [ofChannel(scaling.scale, channel), ofChannel(scaling.shift, channel)];
    for (let i = channel * plane; i < (channel + 1) * plane; i++) {
      const value = (values[i]! - shift) * scale;
      if (!Number.isFinite(value))
        throw dataError(sample, `holds the value ${values[i]}`, 'Values must be finite');
      out[offset + i] = value;
    }
  }
}
