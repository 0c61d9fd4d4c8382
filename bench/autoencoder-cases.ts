// Autoencoders whose speed is measured.
import type { AutoencoderConfig } from 'rectiflow';

export const autoencoderCases = {
  sd: {
    config: { kind: 'kl', latentChannels: 4, blockOutChannels: [128, 256, 512, 512] },
    sides: [256, 512],
  },
  taesd: { config: { kind: 'tiny', latentChannels: 4 }, sides: [256, 512] },
  /** As a config's model of kind autoencoder is by default, at the size of emoji. */
  small: {
    config: {
      kind: 'kl',
      latentChannels: 4,
      blockOutChannels: [32, 64, 64],
      layersPerBlock: 1,
      normGroups: 8,
      quantConv: false,
      postQuantConv: false,
      midAttention: false,
    },
    sides: [64],
  },
} satisfies Record<string, { config: AutoencoderConfig; sides: number[] }>;
