// Encoding and decoding, as what makes arrays of pictures out of arrays of pictures: both run, are split and are tiled alike.
import type { Autoencoder } from '../models/autoencoders/autoencoder.ts';
import type { Parameters } from '../nn/parameters.ts';
import { type Program, trace } from '../program/index.ts';
import { internalError } from '../tensor/errors.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';

export interface Direction {
  readonly name: 'encode' | 'decode';
  /** For messages: what is done with pictures. */
  readonly done: 'encoded' | 'decoded';
  readonly input: { readonly channels: number; readonly scale: number };
  readonly output: { readonly channels: number; readonly scale: number; readonly names: readonly string[] };
  /** In latent pixels; undefined where all of a picture meets. */
  readonly reach: number | undefined;
  /** Of `count` pictures of `rows` by `columns` latent pixels: from the input `pictures` to outputs by their names. */
  program(count: number, rows: number, columns: number): Program;
}

export function encoding(autoencoder: Autoencoder): Direction {
  const { imageChannels, latentChannels, factor, reach } = autoencoder;
  return {
    name: 'encode',
    done: 'encoded',
    input: { channels: imageChannels, scale: factor },
    output: { channels: latentChannels, scale: 1, names: outputNames(autoencoder) },
    reach: reach?.encode,
    program: (count, rows, columns) =>
      trace('encode', (graph) => {
        const images = graph.input('pictures', [count, imageChannels, rows * factor, columns * factor]);
        const { mean, logVariance } = autoencoder.encode(usedParameters(graph, autoencoder), images);
        return { mean, ...(logVariance && { logVariance }) };
      }),
  };
}

export function decoding(autoencoder: Autoencoder): Direction {
  const { imageChannels, latentChannels, factor, reach } = autoencoder;
  return {
    name: 'decode',
    done: 'decoded',
    input: { channels: latentChannels, scale: 1 },
    output: { channels: imageChannels, scale: factor, names: ['images'] },
    reach: reach?.decode,
    program: (count, rows, columns) =>
      trace('decode', (graph) => {
        const latents = graph.input('pictures', [count, latentChannels, rows, columns]);
        return { images: autoencoder.decode(usedParameters(graph, autoencoder), latents) };
      }),
  };
}

/** What an encoder says of a picture, which shows in the smallest program of it. */
function outputNames(autoencoder: Autoencoder): string[] {
  const { imageChannels, factor } = autoencoder;
  let names: string[] = [];
  trace('encode', (graph) => {
    const images = graph.input('pictures', [1, imageChannels, factor, factor]);
    const { mean, logVariance } = autoencoder.encode(usedParameters(graph, autoencoder), images);
    names = logVariance === undefined ? ['mean'] : ['mean', 'logVariance'];
    return { mean };
  });
  return names;
}

/** Declares parameters as state when they are asked for: an encoder needs none of the decoder's. */
function usedParameters(graph: Graph, { parameters }: Autoencoder): Parameters {
  const shapes = new Map(parameters.map(({ name, shape }) => [name, shape]));
  const declared = new Map<string, Tensor>();
  return (name) => {
    const shape = shapes.get(name);
    if (shape === undefined) throw internalError(`the autoencoder declares no parameter ${name}`);
    const tensor = declared.get(name) ?? graph.stateful(name, shape);
    declared.set(name, tensor);
    return tensor;
  };
}
