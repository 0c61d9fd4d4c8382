// The tiny autoencoder of the TAESD family (madebyollin/taesd), with the names of diffusers' AutoencoderTiny: convolutions and ReLU,
// distilled from a large one, whose latents it makes already scaled. TAEF2's blocks that see the whole picture, which diffusers' class
// does not have, are named as in its own file.
import { add, affine, relu, tanh } from '../../ops/index.ts';
import type { Parameters } from '../../nn/parameters.ts';
import type { Shape } from '../../tensor/shape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import {
  type Autoencoder,
  type AutoencoderCost,
  type LatentScaling,
  type Posterior,
  type Reach,
  checkImageShape,
} from './autoencoder.ts';
import {
  type ResolvedTinyConfig,
  type TinyConfig,
  factorOf,
  poolWidth,
  resolveAutoencoderConfig,
} from './config.ts';
import { costOfLayers, reachOfLayers } from './cost.ts';
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

export class AutoencoderTiny implements Autoencoder {
  readonly config: ResolvedTinyConfig;
  readonly imageChannels: number;
  readonly latentChannels: number;
  readonly factor: number;
  readonly scaling: LatentScaling;
  readonly reach: Reach | undefined;
  readonly parameters: Layer['parameters'];
  readonly #encoder: Layer;
  readonly #decoder: Layer;

  /** @throws RectiflowError where the sizes do not fit together */
  constructor(config: TinyConfig) {
    this.config = resolveAutoencoderConfig(config);
    this.imageChannels = this.config.imageChannels;
    this.latentChannels = this.config.latentChannels;
    this.factor = factorOf(this.config);
    this.scaling = this.config.scaling;
    this.#encoder = encoderOf(this.config);
    this.#decoder = decoderOf(this.config);
    this.reach = reachOfLayers(this, this.#encoder, this.#decoder);
    this.parameters = [...this.#encoder.parameters, ...this.#decoder.parameters];
  }

  encode(params: Parameters, images: Tensor): Posterior {
    return { mean: this.#encoder.apply(params, images) };
  }

  decode(params: Parameters, latents: Tensor): Tensor {
    return this.#decoder.apply(params, latents);
  }

  cost(imageShape: Shape): AutoencoderCost {
    return costOfLayers(this, imageShape, this.#encoder, this.#decoder);
  }

  checkShape(imageShape: Shape): void {
    checkImageShape(this, imageShape);
  }
}

const rectified = pointwise(relu);

function encoderOf({
  encoderWidth: width,
  encoderBlocks,
  imageChannels,
  latentChannels,
  poolGroups,
}: ResolvedTinyConfig): Layer {
  const deepest = encoderBlocks.length - 1;
  return numbered(
    'encoder.layers',
    [
      ...encoderBlocks.flatMap((count, level) => [
        (name: string) =>
          level === 0
            ? convolution(name, imageChannels, width)
            : convolution(name, width, width, { stride: 2, bias: false }),
        ...residuals(width, count, level === deepest ? poolGroups : 0),
      ]),
      (name) => convolution(name, width, latentChannels),
    ],
    pointwise((x) => affine(x, 0.5, 0.5)),
  );
}

function decoderOf({
  decoderWidth: width,
  decoderBlocks,
  imageChannels,
  latentChannels,
  poolGroups,
}: ResolvedTinyConfig): Layer {
  const shallowest = decoderBlocks.length - 1;
  const clamped = pointwise((z) => affine(tanh(affine(z, 1 / latentMagnitude, 0)), latentMagnitude, 0));
  const layers = numbered(
    'decoder.layers',
    [
      (name) => convolution(name, latentChannels, width),
      () => rectified,
      ...decoderBlocks.flatMap((count, level) => [
        ...residuals(width, count, level === 0 ? poolGroups : 0),
        ...(level === shallowest
          ? [(name: string) => convolution(name, width, imageChannels)]
          : [() => upsampling, (name: string) => convolution(name, width, width, { bias: false })]),
      ]),
    ],
    clamped,
  );
  return sequence([layers, pointwise((x) => affine(x, 2, -1))]);
}

/** Layers whose names are their numbers; those without parameters count. @param before has none */
function numbered(name: string, layers: readonly ((name: string) => Layer)[], before: Layer): Layer {
  return sequence([before, ...layers.map((layer, i) => layer(`${name}.${i}`))]);
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
