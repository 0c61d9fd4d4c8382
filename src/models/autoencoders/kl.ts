// The autoencoder of latent diffusion (Rombach et al. 2022, arXiv:2112.10752), with the layers and the names of diffusers' AutoencoderKL:
// that of Stable Diffusion 1, 2 and XL, SD3 and Flux.
import { add, attention, clamp, concat, linear, reshape, slice, transpose } from '../../ops/index.ts';
import { linearLayer, linearParameters } from '../../nn/layers.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { type Autoencoder, type Posterior, logVarianceRange } from './autoencoder.ts';
import { type KLConfig, type ResolvedKLConfig, resolveAutoencoderConfig } from './config.ts';
import { layeredAutoencoder } from './layered.ts';
import {
  type Layer,
  block,
  convolution,
  groupNormalization,
  joined,
  pointwise,
  sequence,
  upsampling,
} from './layers.ts';

const epsilon = 1e-6;

/** @throws RectiflowError where the sizes do not fit together */
export function autoencoderKL(config: KLConfig): Autoencoder {
  const resolved = resolveAutoencoderConfig(config);
  // One stretch each: norms at all levels see the whole picture.
  return layeredAutoencoder(resolved, {
    encoder: [encoderOf(resolved)],
    decoder: [decoderOf(resolved)],
    posterior: (moments) => posteriorOf(moments, resolved.latentChannels),
  });
}

/** @param moments [B, 2 z, h, w] */
function posteriorOf(moments: Tensor, z: number): Posterior {
  const mean = slice(moments, 1, 0, z);
  const logVariance = slice(moments, 1, z, z);
  return { mean, logVariance: clamp(logVariance, ...logVarianceRange) };
}

function encoderOf(config: ResolvedKLConfig): Layer {
  const { blockOutChannels, layersPerBlock, imageChannels, latentChannels, normGroups } = config;
  const last = blockOutChannels.length - 1;
  const levels = blockOutChannels.flatMap((width, level) => {
    const name = `encoder.down_blocks.${level}`;
    const above = blockOutChannels[level - 1] ?? blockOutChannels[0]!;
    return [
      ...levelBlocks(name, above, width, layersPerBlock, level, config),
      // Zeros on the right and below only.
      ...(level === last
        ? []
        : [convolution(`${name}.downsamplers.0.conv`, width, width, { stride: 2, padding: [0, 1, 0, 1] })]),
    ];
  });
  const deepest = blockOutChannels[last]!;
  return sequence([
    convolution('encoder.conv_in', imageChannels, blockOutChannels[0]!),
    ...levels,
    ...middle('encoder.mid_block', deepest, config),
    groupNormalization('encoder.conv_norm_out', deepest, normGroups, epsilon, 'silu'),
    convolution('encoder.conv_out', deepest, 2 * latentChannels),
    ...(config.quantConv
      ? [convolution('quant_conv', 2 * latentChannels, 2 * latentChannels, { side: 1 })]
      : []),
  ]);
}

function decoderOf(config: ResolvedKLConfig): Layer {
  const { layersPerBlock, imageChannels, latentChannels, normGroups } = config;
  const widths = config.blockOutChannels.toReversed();
  const last = widths.length - 1;
  const levels = widths.flatMap((width, level) => {
    const name = `decoder.up_blocks.${level}`;
    const below = widths[level - 1] ?? width;
    return [
      ...levelBlocks(name, below, width, layersPerBlock + 1, last - level, config),
      ...(level === last ? [] : [upsampling, convolution(`${name}.upsamplers.0.conv`, width, width)]),
    ];
  });
  const shallowest = widths[last]!;
  return sequence([
    ...(config.postQuantConv
      ? [convolution('post_quant_conv', latentChannels, latentChannels, { side: 1 })]
      : []),
    convolution('decoder.conv_in', latentChannels, widths[0]!),
    ...middle('decoder.mid_block', widths[0]!, config),
    ...levels,
    groupNormalization('decoder.conv_norm_out', shallowest, normGroups, epsilon, 'silu'),
    convolution('decoder.conv_out', shallowest, imageChannels),
  ]);
}

/** The residual blocks of a level, the first of which may change the number of channels, and what may follow each. */
function levelBlocks(
  name: string,
  inputs: number,
  width: number,
  count: number,
  level: number,
  { normGroups, attentionLevels }: ResolvedKLConfig,
): Layer[] {
  return Array.from({ length: count }, (_, i) => [
    residual(`${name}.resnets.${i}`, i === 0 ? inputs : width, width, normGroups),
    ...(attentionLevels.includes(level)
      ? [attentionBlock(`${name}.attentions.${i}`, width, normGroups)]
      : []),
  ]).flat();
}

/** What the deepest level has between encoder and latent, or latent and decoder. */
function middle(name: string, width: number, { normGroups, midAttention }: ResolvedKLConfig): Layer[] {
  return [
    residual(`${name}.resnets.0`, width, width, normGroups),
    ...(midAttention ? [attentionBlock(`${name}.attentions.0`, width, normGroups)] : []),
    residual(`${name}.resnets.1`, width, width, normGroups),
  ];
}

/** x + conv(silu(norm(conv(silu(norm(x)))))); where channels change, a 1x1 convolution of x takes its place. */
function residual(name: string, inputs: number, outputs: number, groups: number): Layer {
  const main = sequence([
    groupNormalization(`${name}.norm1`, inputs, groups, epsilon, 'silu'),
    convolution(`${name}.conv1`, inputs, outputs),
    groupNormalization(`${name}.norm2`, outputs, groups, epsilon, 'silu'),
    convolution(`${name}.conv2`, outputs, outputs),
  ]);
  const shortcut =
    inputs === outputs
      ? pointwise((x) => x)
      : convolution(`${name}.conv_shortcut`, inputs, outputs, { side: 1 });
  return block(joined(main, shortcut, add));
}

/** x + projection(attention(norm(x))): one head of all channels, over all pixels. */
function attentionBlock(name: string, width: number, groups: number): Layer {
  const main = sequence([
    groupNormalization(`${name}.group_norm`, width, groups, epsilon),
    selfAttention(name, width),
  ]);
  return block(
    joined(
      main,
      pointwise((x) => x),
      add,
    ),
  );
}

function selfAttention(name: string, C: number): Layer {
  const parts = ['to_q', 'to_k', 'to_v'].map((part) => `${name}.${part}`);
  return {
    parameters: [...parts, `${name}.to_out.0`].flatMap((part) => linearParameters(part, C, C)),
    apply(params, x) {
      const [B, , H, W] = x.shape as [number, number, number, number];
      const tokens = transpose(reshape(x, [B, C, H * W]), [0, 2, 1]); // -> [B, N, C]
      const joinedOf = (kind: string): Tensor =>
        concat(
          parts.map((part) => params(`${part}.${kind}`)),
          0,
        );
      const qkv = linear(tokens, joinedOf('weight'), joinedOf('bias')); // -> [B, N, 3 C]
      const out = linearLayer(params, `${name}.to_out.0`, attention(qkv, 1)); // -> [B, N, C]
      return reshape(transpose(out, [0, 2, 1]), x.shape);
    },
    follow(passage) {
      const N = passage.height * passage.width;
      return { ...passage, cost: passage.cost + 8 * N * C ** 2 + 4 * N ** 2 * C, reach: Infinity };
    },
  };
}
