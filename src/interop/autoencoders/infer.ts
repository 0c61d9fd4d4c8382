// What the shapes of an autoencoder's weights say of it, where no config stands beside them. Names are those of diffusers.
import type { LatentScale } from '../../tensor/latent-scale.ts';
import type { AutoencoderConfig, KLConfig, TinyConfig } from '../../models/autoencoders/config.ts';
import { type RectiflowError, fileError } from '../../tensor/errors.ts';
import type { LazyTensors } from '../weights-file.ts';
import type { ReadConfig, Told } from './diffusers-config.ts';

/** Of all autoencoders of this kind that are known. */
const usualGroups = 32;
const taef2Groups = 4;
/** Latents of 4 channels are those of Stable Diffusion 1 and 2, or of XL: the shapes are the same. */
const stableDiffusion = 0.18215;

/**
 * The config of weights that come without one.
 * @throws RectiflowError where they are those of no autoencoder that is known here, or something cannot be told
 */
export function inferConfig(tensors: LazyTensors, path: string, told: Told = {}): ReadConfig {
  if (tensors.has('decoder.layers.0.weight')) return inferTiny(tensors, path, told);
  const { sizes, assumptions } = inferKL(tensors, path, told);
  const { scaling, assumed } = scalingOf(sizes.latentChannels, path, told);
  return { config: { ...sizes, scaling }, assumptions: [...assumptions, ...assumed] };
}

function inferKL(
  tensors: LazyTensors,
  path: string,
  { normGroups }: Told,
): { sizes: KLConfig; assumptions: readonly string[] } {
  const shape = (name: string): readonly number[] => shapeOf(tensors, name, path);
  const level = (i: number): string => `encoder.down_blocks.${i}.resnets`;
  const levels = countFrom(0, (i) => tensors.has(`${level(i)}.0.conv1.weight`));
  const blockOutChannels = Array.from({ length: levels }, (_, i) => shape(`${level(i)}.0.conv1.weight`)[0]!);
  if (levels === 0) throw notKnown(path, tensors);
  const fits = blockOutChannels.every((width) => width % usualGroups === 0);
  if (normGroups === undefined && !fits) {
    const problem = `has ${blockOutChannels.join(', ')} channels, which are no multiples of ${usualGroups}, and nothing tells in how many groups they are normalised`;
    throw fileError(path, problem, tellBy('--norm-groups', '"norm_num_groups"'));
  }
  const sizes: KLConfig = {
    kind: 'kl',
    imageChannels: shape('encoder.conv_in.weight')[1]!,
    latentChannels: shape('decoder.conv_in.weight')[1]!,
    blockOutChannels,
    layersPerBlock: countFrom(0, (i) => tensors.has(`${level(0)}.${i}.conv1.weight`)),
    normGroups: normGroups ?? usualGroups,
    quantConv: tensors.has('quant_conv.weight'),
    postQuantConv: tensors.has('post_quant_conv.weight'),
    midAttention: tensors.has('encoder.mid_block.attentions.0.to_q.weight'),
    attentionLevels: blockOutChannels.flatMap((_, i) =>
      tensors.has(`encoder.down_blocks.${i}.attentions.0.to_q.weight`) ? [i] : [],
    ),
  };
  const assumed = `${path} comes without a config: norms of ${usualGroups} groups are assumed, which all known ones have.`;
  return { sizes, assumptions: normGroups === undefined ? [assumed] : [] };
}

function scalingOf(
  latentChannels: number,
  path: string,
  { scaling, isScalingNeeded = true }: Told,
): { scaling: LatentScale; assumed: readonly string[] } {
  if (scaling !== undefined) return { scaling, assumed: [] };
  if (latentChannels === 4) {
    const text = `${path} comes without a config: the scale ${stableDiffusion} of Stable Diffusion 1 and 2 is assumed; if it is of SDXL, it is 0.13025.`;
    return { scaling: { scale: stableDiffusion, shift: 0 }, assumed: [text] };
  }
  const problem = `comes without a config, and nothing tells the scale and shift of its ${latentChannels} channels, which differ between models of the same shapes (SD3: 1.5305 and 0.0609, Flux: 0.3611 and 0.1159)`;
  if (isScalingNeeded)
    throw fileError(path, problem, tellBy('--scale and --shift', '"scaling_factor" and "shift_factor"'));
  return { scaling: { scale: 1, shift: 0 }, assumed: [`${path} ${problem}.`] };
}

/** Latents of the TAESD family are as the diffusion model sees them. */
function inferTiny(tensors: LazyTensors, path: string, { scaling }: Told): ReadConfig {
  const encoder = layersOf(tensors, 'encoder');
  const decoder = layersOf(tensors, 'decoder');
  const [first] = encoder;
  const [begin] = decoder;
  if (first?.kind !== 'convolution' || begin?.kind !== 'convolution') throw notKnown(path, tensors);
  const config: TinyConfig = {
    kind: 'tiny',
    imageChannels: first.inputs,
    latentChannels: begin.inputs,
    encoderWidth: first.outputs,
    decoderWidth: begin.outputs,
    encoderBlocks: blocksBetween(encoder),
    decoderBlocks: blocksBetween(decoder),
    poolGroups: tensors.has('decoder.layers.2.pool.0.weight') ? taef2Groups : 0,
    scaling: scaling ?? { scale: 1, shift: 0 },
  };
  return { config: config satisfies AutoencoderConfig, assumptions: [] };
}

type NumberedLayer =
  | { readonly kind: 'block' }
  | { readonly kind: 'convolution'; readonly outputs: number; readonly inputs: number };

/** Those with parameters, in their order. */
function layersOf(tensors: LazyTensors, part: string): NumberedLayer[] {
  const numbers = new Set(
    [...tensors.keys()].flatMap((name) => {
      const [, found, number] = /^(encoder|decoder)\.layers\.(\d+)\./.exec(name) ?? [];
      return found === part ? [Number(number)] : [];
    }),
  );
  return [...numbers]
    .toSorted((a, b) => a - b)
    .map((number) => {
      const [outputs, inputs] = tensors.get(`${part}.layers.${number}.weight`)?.shape ?? [];
      if (outputs === undefined || inputs === undefined) return { kind: 'block' };
      return { kind: 'convolution', outputs, inputs };
    });
}

/** How many blocks stand between each convolution and the next. */
function blocksBetween(layers: readonly NumberedLayer[]): number[] {
  const counts: number[] = [];
  for (const { kind } of layers) {
    if (kind === 'convolution') counts.push(0);
    else counts[counts.length - 1]! += 1;
  }
  return counts.slice(0, -1);
}

function shapeOf(tensors: LazyTensors, name: string, path: string): readonly number[] {
  const found = tensors.get(name)?.shape;
  if (found?.length === 4) return found;
  throw notKnown(path, tensors, name);
}

function notKnown(path: string, tensors: LazyTensors, missing?: string): RectiflowError {
  const some = [...tensors.keys()].slice(0, 5).join(', ');
  const lack = missing === undefined ? '' : `it has no ${missing} [O, I, k, k]; `;
  const problem = `is no autoencoder that is read here: ${lack}it has ${some} and ${Math.max(0, tensors.size - 5)} more`;
  return fileError(path, problem, kinds);
}

export const kinds =
  "Give an AutoencoderKL (Stable Diffusion, SD3, Flux) or one of the TAESD family: a folder of diffusers, LDM's file, or TAESD's pair of files";

/** @param options of commands @param names in a config.json */
function tellBy(options: string, names: string): string {
  return `Give ${options}, or put the file into a folder with a config.json as diffusers has it, which names ${names} (docs/latents.md shows one)`;
}

/** How many whole numbers from `start` on there are. */
function countFrom(start: number, isThere: (i: number) => boolean): number {
  let count = 0;
  while (isThere(start + count)) count++;
  return count;
}
