// The tiny autoencoder of the TAESD family (madebyollin/taesd), with the names of diffusers' AutoencoderTiny: convolutions and ReLU,
// distilled from a large one, whose latents it makes already scaled. TAEF2's blocks that see the whole picture, which diffusers' class
// does not have, are named as in its own file.
import { add, affine, relu, tanh } from '../../ops/index.ts';
import type { Autoencoder } from './autoencoder.ts';
import { type ResolvedTinyConfig, type TinyConfig, poolWidth, resolveAutoencoderConfig } from './config.ts';
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

/** Latents beyond are drawn back to it. */
const latentMagnitude = 3;
const poolEpsilon = 1e-5;

/** @throws RectiflowError where the sizes do not fit together */
export function autoencoderTiny(config: TinyConfig): Autoencoder {
  const resolved = resolveAutoencoderConfig(config);
  return layeredAutoencoder(resolved, {
    encoder: encoderOf(resolved),
    decoder: decoderOf(resolved),
    posterior: (mean) => ({ mean }),
  });
}

const rectified = pointwise(relu);

/** In two stretches where there is a pool: what comes before the deepest level's blocks sees only so far. */
function encoderOf({
  encoderWidth: width,
  encoderBlocks,
  imageChannels,
  latentChannels,
  poolGroups,
}: ResolvedTinyConfig): Layer[] {
  const deepest = encoderBlocks.length - 1;
  const levels = encoderBlocks.map((count, level) => ({
    begin: (name: string) =>
      level === 0
        ? convolution(name, imageChannels, width)
        : convolution(name, width, width, { stride: 2, bias: false }),
    blocks: residuals(width, count, level === deepest ? poolGroups : 0),
  }));
  const near = levels.flatMap(({ begin, blocks }, level) => [begin, ...(level === deepest ? [] : blocks)]);
  const far = [...levels[deepest]!.blocks, (name: string) => convolution(name, width, latentChannels)];
  const [first, second] = numbered('encoder.layers', [near, far]);
  const begin = sequence([pointwise((x) => affine(x, 0.5, 0.5)), first!]);
  return poolGroups === 0 ? [sequence([begin, second!])] : [begin, second!];
}

/** In two stretches where there is a pool: what follows the deepest level's blocks sees only so far. */
function decoderOf({
  decoderWidth: width,
  decoderBlocks: [deepest, ...others],
  imageChannels,
  latentChannels,
  poolGroups,
}: ResolvedTinyConfig): Layer[] {
  const clamped = pointwise((z) => affine(tanh(affine(z, 1 / latentMagnitude, 0)), latentMagnitude, 0));
  const far = [
    (name: string) => convolution(name, latentChannels, width),
    () => rectified,
    ...residuals(width, deepest!, poolGroups),
  ];
  const near = [
    ...others.flatMap((count) => [
      () => upsampling,
      (name: string) => convolution(name, width, width, { bias: false }),
      ...residuals(width, count, 0),
    ]),
    (name: string) => convolution(name, width, imageChannels),
  ];
  const [first, second] = numbered('decoder.layers', [far, near]);
  const begin = sequence([clamped, first!]);
  const end = sequence([second!, pointwise((x) => affine(x, 2, -1))]);
  return poolGroups === 0 ? [sequence([begin, end])] : [begin, end];
}

/** Stretches of layers whose names are their numbers in all; those without parameters count. */
function numbered(name: string, stretches: readonly (readonly ((name: string) => Layer)[])[]): Layer[] {
  let count = 0;
  return stretches.map((layers) => sequence(layers.map((layer) => layer(`${name}.${count++}`))));
}

function residuals(width: number, count: number, poolGroups: number): ((name: string) => Layer)[] {
  return Array.from({ length: count }, () => (name) => residual(name, width, poolGroups));
}

/** relu(x + conv(relu(conv(relu(conv(x)))))), of what a pool has been added to where there is one. */
function residual(name: string, width: number, poolGroups: number): Layer {
  const main = sequence([
    convolution(`${name}.conv.0`, width, width),
    rectified,
    convolution(`${name}.conv.2`, width, width),
    rectified,
    convolution(`${name}.conv.4`, width, width),
  ]);
  const same = pointwise((x) => x);
  const pooled = poolGroups === 0 ? [] : [joined(pool(`${name}.pool`, width, poolGroups), same, add)];
  return block(sequence([...pooled, joined(main, same, (y, x) => relu(add(y, x)))]));
}

function pool(name: string, width: number, groups: number): Layer {
  const wide = poolWidth * width;
  return sequence([
    convolution(`${name}.0`, width, wide, { side: 1, bias: false }),
    groupNormalization(`${name}.1`, wide, groups, poolEpsilon),
    rectified,
    convolution(`${name}.3`, wide, width, { side: 1, bias: false }),
  ]);
}
