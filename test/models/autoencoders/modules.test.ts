import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import type { Autoencoder } from '../../../src/models/autoencoders/autoencoder.ts';
import { createAutoencoder } from '../../../src/models/autoencoders/create.ts';
import { countParameters } from '../../../src/models/model.ts';
import { declareParameters } from '../../../src/nn/parameters.ts';
import { add, mean, square } from '../../../src/ops/index.ts';
import { type Program, grad, trace } from '../../../src/program/index.ts';
import { sizeOf } from '../../../src/tensor/shape.ts';
import type { Node } from '../../../src/tensor/tensor.ts';
import { initialValues, randomWeights } from '../../support/models.ts';
import { randomValues } from '../../support/random.ts';

const kl = createAutoencoder({
  kind: 'kl',
  latentChannels: 3,
  imageChannels: 2,
  blockOutChannels: [4, 8],
  layersPerBlock: 1,
  normGroups: 2,
});
const tiny = createAutoencoder({
  kind: 'tiny',
  latentChannels: 3,
  imageChannels: 2,
  encoderWidth: 4,
  decoderWidth: 5,
  encoderBlocks: [0, 1, 1],
  decoderBlocks: [1, 0, 1],
});
const pooled = createAutoencoder({
  kind: 'tiny',
  latentChannels: 2,
  poolGroups: 4,
  encoderWidth: 4,
  decoderWidth: 4,
  encoderBlocks: [1, 1],
  decoderBlocks: [1, 1],
});

describe('parameters', () => {
  it.each([
    // As diffusers counts those of Stable Diffusion, SDXL among them, of Flux, and of TAESD.
    [
      'Stable Diffusion',
      { kind: 'kl', latentChannels: 4, blockOutChannels: [128, 256, 512, 512] },
      83_653_863,
    ],
    [
      'Flux',
      {
        kind: 'kl',
        latentChannels: 16,
        blockOutChannels: [128, 256, 512, 512],
        quantConv: false,
        postQuantConv: false,
      },
      83_819_683,
    ],
    ['TAESD', { kind: 'tiny', latentChannels: 4 }, 2_445_063],
  ] as const)('of %s are as many as it has', (_, config, count) => {
    expect(countParameters(createAutoencoder(config))).toBe(count);
  });

  it('of convolutions begin within 1 / sqrt(inputs) of zero, biases at zero, norms as nothing', async () => {
    const of = (name: string) =>
      initialValues(
        kl.parameters.find((spec) => spec.name === name)!,
        3,
      );
    const kernel = await of('decoder.conv_in.weight');
    const bound = 1 / Math.sqrt(3 * 9);
    const largest = Math.max(...Array.from(kernel, Math.abs));
    expect(largest).toBeLessThanOrEqual(bound);
    expect(largest).toBeGreaterThan(0.9 * bound);
    expect(new Set(await of('decoder.conv_in.bias'))).toEqual(new Set([0]));
    expect(new Set(await of('decoder.conv_norm_out.weight'))).toEqual(new Set([1]));
  });
});

function encodeProgram(autoencoder: Autoencoder, height: number, width: number): Program {
  return trace('encode', (graph) => {
    const params = declareParameters(graph, autoencoder.parameters);
    const images = graph.input('pictures', [1, autoencoder.imageChannels, height, width]);
    return { values: autoencoder.encode(params, images).mean };
  });
}

function decodeProgram(autoencoder: Autoencoder, height: number, width: number): Program {
  return trace('decode', (graph) => {
    const params = declareParameters(graph, autoencoder.parameters);
    const latents = graph.input('pictures', [1, autoencoder.latentChannels, height, width]);
    return { values: autoencoder.decode(params, latents) };
  });
}

/** Of the products that a program asks for. */
function productsOf({ nodes }: Program): number {
  const of = ({ op, inputs, outputs }: Node): number => {
    const [x, w] = inputs;
    if (op.name === 'conv2d') return 2 * sizeOf(outputs[0]!.shape) * sizeOf(w!.shape.slice(1));
    if (op.name === 'linear') return 2 * sizeOf(outputs[0]!.shape) * w!.shape[1]!;
    if (op.name !== 'attention') return 0;
    const [, tokens, width] = outputs[0]!.shape;
    return x === undefined ? 0 : 4 * tokens! ** 2 * width!;
  };
  return nodes.reduce((sum, node) => sum + of(node), 0);
}

it.each([
  ['AutoencoderKL', kl],
  ['AutoencoderTiny', tiny],
  ['AutoencoderTiny with a pool', pooled],
])('the cost of %s is that of its products', (_, autoencoder) => {
  const { factor, imageChannels } = autoencoder;
  const cost = autoencoder.cost([imageChannels, 3 * factor, 5 * factor]);
  expect(cost.encode).toBe(productsOf(encodeProgram(autoencoder, 3 * factor, 5 * factor)));
  expect(cost.decode).toBe(productsOf(decodeProgram(autoencoder, 3, 5)));
});

describe('how far pixels see', () => {
  it('is nowhere said where all of a picture meets', () => {
    const reaches = ({ parts }: Autoencoder): unknown[] =>
      [...parts.encode, ...parts.decode].map(({ reach }) => reach);
    expect(reaches(kl)).toEqual([undefined, undefined]);
    expect(reaches(pooled)).toEqual([3, undefined, undefined, 3]);
  });

  it('is as far as a change of one pixel is noticed, and not much less', async () => {
    const [encode, decode] = [tiny.parts.encode[0]!.reach!, tiny.parts.decode[0]!.reach!];
    const side = 16;
    const encoded = await changed(encodeProgram(tiny, 4 * side, 4), [2, 4 * side, 4]);
    const decoded = await changed(decodeProgram(tiny, side, 1), [3, side, 1]);
    // In latent pixels, from the changed one at the top.
    expect(encoded.at(-1)!).toBeLessThanOrEqual(encode);
    expect(encoded.at(-1)!).toBeGreaterThanOrEqual(encode - 1);
    expect(Math.floor(decoded.at(-1)! / 4)).toBeLessThanOrEqual(decode);
    expect(Math.floor(decoded.at(-1)! / 4)).toBeGreaterThanOrEqual(decode - 1);
  });

  /** Rows of the output that are others when the first row's pixels are. */
  async function changed(
    program: Program,
    [channels, height, width]: readonly [number, number, number],
  ): Promise<number[]> {
    const backend = referenceBackend({ float: 'float64' });
    const executable = await backend.compile(program, await randomWeights(backend, tiny));
    const pictures = Float32Array.from(randomValues(channels * height * width, 9));
    const run = async (): Promise<ArrayLike<number>> => {
      await executable.run({ pictures });
      return (await executable.read(['values'])).values;
    };
    const before = await run();
    for (let channel = 0; channel < channels; channel++) pictures[channel * height * width]! += 1;
    const after = await run();
    const [, , rows, columns] = program.outputs.get('values')!.shape;
    const differs = new Set<number>();
    for (let i = 0; i < before.length; i++) {
      if (before[i] !== after[i]) differs.add(Math.floor(i / columns!) % rows!);
    }
    return [...differs].toSorted((a, b) => a - b);
  }
});

it.each([
  ['AutoencoderKL', kl],
  ['AutoencoderTiny with a pool', pooled],
])('every parameter of %s is learnt: a reconstruction has a gradient for it', async (_, autoencoder) => {
  const backend = referenceBackend({ float: 'float64' });
  const { imageChannels, parameters } = autoencoder;
  const program = trace('reconstruct', (graph) => {
    const params = declareParameters(graph, parameters);
    const images = graph.input('images', [1, imageChannels, 8, 8]);
    const { mean: latents, logVariance } = autoencoder.encode(params, images);
    const loss = mean(square(autoencoder.decode(params, latents)));
    const all = logVariance === undefined ? loss : add(loss, mean(square(logVariance)));
    const gradients = grad(
      all,
      parameters.map(({ name }) => params(name)),
    );
    return Object.fromEntries(gradients.map((gradient, i) => [parameters[i]!.name, gradient]));
  });
  const executable = await backend.compile(program, await randomWeights(backend, autoencoder));
  await executable.run({ images: Float32Array.from(randomValues(64 * imageChannels, 5)) });
  const gradients = await executable.read(parameters.map(({ name }) => name));
  const names = parameters.map(({ name }) => name);
  // A bias that all keys have changes no probability.
  const learnt = names.filter((name) => !name.endsWith('.to_k.bias'));
  const dead = learnt.filter((name) => gradients[name]!.every((value) => value === 0));
  expect(dead).toEqual([]);
});
