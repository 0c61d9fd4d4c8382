import { AutoencoderModel } from '../autoencoder-model.ts';
import { type KLConfig, factorOf } from '../autoencoders/config.ts';
import { describeImages, imageFromData } from './dit.ts';
import type { Kind } from './kind.ts';

/** What makes latents of pictures and pictures of latents, in which a model of another kind is trained. */
export interface AutoencoderSettings extends Required<
  Pick<KLConfig, 'latentChannels' | 'blockOutChannels' | 'layersPerBlock' | 'normGroups' | 'midAttention'>
> {
  readonly kind: 'autoencoder';
  /** Of a picture. */
  readonly channels: number;
  /** That it is trained at. */
  readonly imageSize: readonly [height: number, width: number];
  /** Of KL(posterior || N(0, 1)) beside the mean absolute error, both by the number of a picture's values. */
  readonly klWeight: number;
}

export const autoencoder: Kind<AutoencoderSettings> = {
  settings: {
    channels: { type: 'whole', from: 1, fromData: true, says: 'channels of a picture' },
    imageSize: {
      type: 'size',
      fromData: true,
      says: 'height and width, multiples of the factor: 2 to the number of levels less one',
    },
    latentChannels: { type: 'whole', from: 1, default: 4, says: 'channels of a latent' },
    blockOutChannels: {
      type: 'wholes',
      from: 1,
      default: [32, 64, 64],
      says: 'channels of each level, multiples of normGroups; each level but the last halves the sides',
    },
    layersPerBlock: {
      type: 'whole',
      from: 1,
      default: 1,
      says: 'residual blocks of a level; the decoder has one more',
    },
    normGroups: {
      type: 'whole',
      from: 1,
      default: 8,
      says: 'groups of channels that are normalised together',
    },
    midAttention: { type: 'flag', default: false, says: 'attention over all of the deepest level' },
    klWeight: {
      type: 'from 0',
      default: 0.01,
      says: 'what the distance of the latents from N(0, 1) counts beside the error',
    },
  },
  fromData: imageFromData,
  create: (config) =>
    new AutoencoderModel(autoencoderConfigOf(config), {
      sampleShape: [config.channels, ...config.imageSize],
      klWeight: config.klWeight,
    }),
  describe(config) {
    const { blockOutChannels, latentChannels, imageSize } = config;
    const factor = factorOf(autoencoderConfigOf(config));
    const sides = imageSize.map((side) => side / factor).join('x');
    return {
      samples: describeImages(config),
      network: [
        'autoencoder',
        `levels of ${blockOutChannels.join(', ')} channels, latents ${sides}x${latentChannels}`,
      ],
    };
  },
};

/** The autoencoder alone. Without the convolutions around the latent that later ones (SD3, Flux) do without, too. */
export function autoencoderConfigOf({
  channels,
  latentChannels,
  blockOutChannels,
  layersPerBlock,
  normGroups,
  midAttention,
}: AutoencoderSettings): KLConfig {
  return {
    kind: 'kl',
    imageChannels: channels,
    latentChannels,
    blockOutChannels,
    layersPerBlock,
    normGroups,
    midAttention,
    quantConv: false,
    postQuantConv: false,
  };
}
