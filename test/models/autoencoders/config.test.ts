import { describe, expect, it } from 'vitest';
import { checkImageShape } from '../../../src/models/autoencoders/autoencoder.ts';
import {
  type AutoencoderConfig,
  factorOf,
  resolveAutoencoderConfig,
} from '../../../src/models/autoencoders/config.ts';

const kl = { kind: 'kl', latentChannels: 4, blockOutChannels: [32, 64, 64] } as const;
const tiny = { kind: 'tiny', latentChannels: 4 } as const;

describe('the config of an autoencoder', () => {
  it('of kind kl has the defaults of diffusers', () => {
    expect(resolveAutoencoderConfig(kl)).toEqual({
      ...kl,
      imageChannels: 3,
      layersPerBlock: 2,
      normGroups: 32,
      quantConv: true,
      postQuantConv: true,
      midAttention: true,
      attentionLevels: [],
      scaling: { scale: 1, shift: 0 },
    });
    expect(factorOf(kl)).toBe(4);
  });

  it('of kind tiny has those of TAESD', () => {
    expect(resolveAutoencoderConfig(tiny)).toEqual({
      ...tiny,
      imageChannels: 3,
      encoderWidth: 64,
      decoderWidth: 64,
      encoderBlocks: [1, 3, 3, 3],
      decoderBlocks: [3, 3, 3, 1],
      poolGroups: 0,
      scaling: { scale: 1, shift: 0 },
    });
    expect(factorOf(tiny)).toBe(8);
  });

  it.each<[string, AutoencoderConfig, string]>([
    [
      'no latent channels',
      { ...kl, latentChannels: 0 },
      'AutoencoderKL: latentChannels must be a positive integer, got 0',
    ],
    ['no level', { ...kl, blockOutChannels: [] }, 'blockOutChannels must be a list of 1 to 11 whole numbers'],
    [
      'channels that are none',
      { ...kl, blockOutChannels: [32, 0] },
      'blockOutChannels[1] must be a positive',
    ],
    [
      'channels that the groups do not divide',
      { ...kl, blockOutChannels: [32, 48] },
      'blockOutChannels must be multiples of normGroups = 32, got 48',
    ],
    [
      'attention in a level that is not there',
      { ...kl, attentionLevels: [3] },
      'attentionLevels must be levels from 0 to 2, got 3',
    ],
    ['half a layer', { ...kl, layersPerBlock: 0.5 }, 'layersPerBlock must be a whole number from 1 to 64'],
    [
      'a scale for each of other channels',
      { ...kl, scaling: { scale: [1, 2, 3], shift: 0 } },
      'scale must be one number or 4, one for each channel, got 3',
    ],
    ['a scale of 0', { ...kl, scaling: { scale: 0, shift: 0 } }, 'scale must be above 0, got 0'],
    ['a shift that is none', { ...kl, scaling: { scale: 1, shift: NaN } }, 'shift must be a number, got NaN'],
    [
      'a decoder of other levels',
      { ...tiny, decoderBlocks: [3, 1] },
      "decoderBlocks must be of as many levels as the encoder's, 4, got 2",
    ],
    ['-1 blocks', { ...tiny, encoderBlocks: [1, -1, 3, 3] }, 'encoderBlocks must be a whole number from 0'],
    [
      'groups that do not divide',
      { ...tiny, poolGroups: 3 },
      'AutoencoderTiny: poolGroups must be 0 or a divisor',
    ],
  ])('with %s is refused', (_, config, message) => {
    expect(() => resolveAutoencoderConfig(config)).toThrow(message);
  });
});

describe('the shape of a picture', () => {
  const autoencoder = { imageChannels: 3, factor: 8 };

  it.each([[[3, 8, 8]], [[3, 64, 24]]])('may be %j', (shape) => {
    expect(() => checkImageShape(autoencoder, shape)).not.toThrow();
  });

  it.each([
    [[1, 8, 8], 'shape of a picture must be [3, height, width], got [1, 8, 8]'],
    [[3, 8], 'got [3, 8]'],
    [[3, 8, 8, 8], 'got [3, 8, 8, 8]'],
    [[3, 60, 33], 'multiples of 8 on both sides; nearest are 56x32 and 64x40, got 60x33'],
    [[3, 5, 16], 'nearest are 8x16, got 5x16'],
  ])('may not be %j', (shape, message) => {
    expect(() => checkImageShape(autoencoder, shape)).toThrow(message);
  });
});
