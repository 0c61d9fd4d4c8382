import { counted } from '../../tensor/counted.ts';
import { DiT } from '../dit.ts';
import { type ResolvedDiTConfig, ditSettings } from '../dit-config.ts';
import type { Kind } from './kind.ts';

/** Images, with classes or without. */
export interface ImageModel extends ResolvedDiTConfig {
  readonly kind: 'dit';
}

export const dit: Kind<ImageModel> = {
  settings: ditSettings,
  fits: ({ shape, captions }) => shape.length !== 1 && !captions,
  // A source may be a class: what it has by its prototype is lost in a rest of it.
  fromData: (facts) => ({ ...imageFromData(facts), classes: facts.classes ?? 0 }),
  create: (config) => new DiT(config),
  describe: (config) => ({
    samples: `${describeImages(config)}, ${describeClasses(config.classes)}${describeToldSizes(config)}`,
    network: describeTransformer(config, describePatches(config)),
  }),
};

/** @param tokens how many there are, and of what */
export function describeTransformer(
  { width, depth, heads }: Pick<ResolvedDiTConfig, 'width' | 'depth' | 'heads'>,
  tokens: string,
): readonly [name: string, text: string] {
  return ['transformer', `${width} wide, ${depth} deep, ${counted(heads, 'head')}, ${tokens}`];
}

type Images = Pick<ResolvedDiTConfig, 'channels' | 'imageSize' | 'patchSize'>;

export function imageFromData({
  shape,
}: {
  readonly shape: readonly number[];
}): Pick<Images, 'channels' | 'imageSize'> {
  const [channels, ...imageSize] = shape as [number, number, number];
  return { channels, imageSize };
}

/** `32x32, 3 channels` */
export function describeImages({ imageSize, channels }: Omit<Images, 'patchSize'>): string {
  return `${imageSize.join('x')}, ${counted(channels, 'channel')}`;
}

/** `, told sizes and crops`, where the model is told them. */
export function describeToldSizes({ sizeConditioning }: Pick<ResolvedDiTConfig, 'sizeConditioning'>): string {
  return sizeConditioning ? ', told sizes and crops' : '';
}

export function describeClasses(classes: number): string {
  return classes === 0 ? 'no classes' : counted(classes, 'class');
}

export function describePatches({ imageSize: [height, width], patchSize }: Images): string {
  const tokens = (height / patchSize) * (width / patchSize);
  return `${counted(tokens, 'token')} of ${patchSize}x${patchSize} pixels`;
}
