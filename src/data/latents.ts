// What a model sees of latents, and what tells those of one autoencoder from those of another.
import { dataError } from '../tensor/errors.ts';
import type { LatentScale, PerChannel } from '../tensor/latent-scale.ts';

/** What stays with the weights of a model of latents: `SourceFacts.record` of its data. */
export interface LatentRecord extends LatentScale {
  readonly kind: 'latents';
  /** The fingerprint of the autoencoder that made them; absent where nothing tells. */
  readonly autoencoder?: string;
}

/** Undefined of data that are no latents. */
export function latentRecordOf(
  record: Readonly<Record<string, unknown>> | undefined,
): LatentRecord | undefined {
  if (record?.['kind'] !== 'latents') return undefined;
  const { scale, shift, autoencoder } = record;
  if (!isPerChannel(scale) || !isPerChannel(shift)) return undefined;
  return { kind: 'latents', scale, shift, ...(typeof autoencoder === 'string' && { autoencoder }) };
}

/** A record in the form that is stored. */
export function latentRecord({ scale, shift }: LatentScale, autoencoder?: string): LatentRecord {
  return { kind: 'latents', scale, shift, ...(autoencoder !== undefined && { autoencoder }) };
}

function isPerChannel(value: unknown): value is PerChannel {
  const isNumber = (each: unknown): boolean => typeof each === 'number' && Number.isFinite(each);
  return isNumber(value) || (Array.isArray(value) && value.length > 0 && value.every(isNumber));
}

/** Of one channel. */
export function ofChannel(values: PerChannel, channel: number): number {
  return typeof values === 'number' ? values : values[channel]!;
}

/** `0.18215`, `1.2, 0.8, 1.1, 0.9`, shortened where there are many. */
export function describePerChannel(values: PerChannel): string {
  const list = [values].flat();
  const shown = list.slice(0, 4).map((value) => String(Number(value.toPrecision(5))));
  return list.length > 4 ? `${shown.join(', ')}, ... (${list.length} channels)` : shown.join(', ');
}

/**
 * @param channels of the latents
 * @throws RectiflowError where the numbers are not one for each channel, or no scale
 */
export function checkLatentScale({ scale, shift }: LatentScale, channels: number, name: string): void {
  for (const [setting, values] of Object.entries({ scale, shift })) {
    if (typeof values === 'object' && values.length !== channels) {
      const problem = `${setting} has ${values.length} numbers, the latents have ${channels} channels`;
      throw dataError(name, problem, 'Give one number for all channels, or one for each');
    }
    const odd = [values]
      .flat()
      .find((value) => !Number.isFinite(value) || (setting === 'scale' && value <= 0));
    if (odd === undefined) continue;
    const wanted = setting === 'scale' ? 'numbers above 0' : 'finite numbers';
    throw dataError(name, `${setting} holds ${odd}, wanted ${wanted}`, `Correct the ${setting}`);
  }
}

/**
 * What the model sees, turned back into latents that a decoder takes: z / scale + shift.
 * @param values [N, C, ...], row-major
 * @param shape of one of them
 */
export function toLatents(
  values: Float32Array,
  { scale, shift }: LatentScale,
  shape: readonly number[],
): Float32Array {
  const [channels = 1, ...rest] = shape;
  const plane = rest.reduce((product, side) => product * side, 1);
  return values.map((value, i) => {
    const channel = Math.floor(i / plane) % channels;
    return value / ofChannel(scale, channel) + ofChannel(shift, channel);
  });
}

/** The deviation of all values that a model sees, by the means and deviations of the channels, whose planes are of one size. */
export function seenDeviation(
  { scale, shift }: LatentScale,
  { mean, deviation }: { readonly mean: readonly number[]; readonly deviation: readonly number[] },
): number {
  const means = mean.map((value, channel) => (value - ofChannel(shift, channel)) * ofChannel(scale, channel));
  const average = means.reduce((sum, value) => sum + value, 0) / means.length;
  const squares = deviation.map(
    (value, channel) => (value * ofChannel(scale, channel)) ** 2 + means[channel]! ** 2,
  );
  return Math.sqrt(
    Math.max(0, squares.reduce((sum, value) => sum + value, 0) / squares.length - average ** 2),
  );
}
