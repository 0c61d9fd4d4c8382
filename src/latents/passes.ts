// Encoding and decoding, as what makes arrays of pictures out of arrays of pictures: both run, are split and are tiled alike.
import type { Autoencoder } from '../models/autoencoders/autoencoder.ts';
import type { Lattice, Part } from '../models/autoencoders/parts.ts';
import type { Parameters } from '../nn/parameters.ts';
import { type Program, trace } from '../program/index.ts';
import { internalError } from '../tensor/errors.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';

/** One program that pictures are taken through. */
export interface Pass {
  readonly name: string;
  readonly input: Lattice;
  readonly output: Lattice;
  /** Of its outputs. */
  readonly names: readonly string[];
  /** In latent pixels; undefined where all of a picture meets. */
  readonly reach: number | undefined;
  /** Of `count` pictures of `rows` by `columns` latent pixels: from the input `pictures` to outputs by their names. */
  program(count: number, rows: number, columns: number): Program;
}

/** All of it in one pass, or, where pictures are too large for that, one after the other. */
export interface Direction {
  readonly name: 'encode' | 'decode';
  readonly whole: Pass;
  readonly passes: readonly Pass[];
}

export function encoding(autoencoder: Autoencoder): Direction {
  const end = (encoded: Tensor): Readonly<Record<string, Tensor>> => {
    const { mean, logVariance } = autoencoder.posterior(encoded);
    return { mean, ...(logVariance && { logVariance }) };
  };
  const { latentChannels } = autoencoder;
  return directionOf('encode', autoencoder, { channels: latentChannels, scale: 1 }, end);
}

export function decoding(autoencoder: Autoencoder): Direction {
  const { imageChannels, factor } = autoencoder;
  return directionOf('decode', autoencoder, { channels: imageChannels, scale: factor }, (images) => ({
    images,
  }));
}

/** What the last part's output becomes. */
type End = (made: Tensor) => Readonly<Record<string, Tensor>>;

function directionOf(
  name: Direction['name'],
  autoencoder: Autoencoder,
  output: Lattice,
  end: End,
): Direction {
  const parts = autoencoder.parts[name];
  const between: End = (values) => ({ values });
  const last = parts.length - 1;
  const passes = parts.map((part, i) =>
    i === last
      ? passOf(`${name} ${i}`, autoencoder, [part], output, end)
      : passOf(`${name} ${i}`, autoencoder, [part], part.output, between),
  );
  return { name, whole: passOf(name, autoencoder, parts, output, end), passes };
}

function passOf(
  name: string,
  autoencoder: Autoencoder,
  parts: readonly Part[],
  output: Lattice,
  end: End,
): Pass {
  const { input } = parts[0]!;
  const program = (count: number, rows: number, columns: number): Program =>
    trace(name, (graph) => {
      const shape = [count, input.channels, rows * input.scale, columns * input.scale];
      const params = usedParameters(graph, autoencoder);
      return end(parts.reduce((x, part) => part.apply(params, x), graph.input('pictures', shape)));
    });
  const reaches = parts.map(({ reach }) => reach);
  return {
    name,
    input,
    output,
    names: [...program(1, 1, 1).outputs.keys()],
    // Of several the reaches add up, which nobody asks: those of one part alone are tiled.
    reach: reaches.length === 1 ? reaches[0] : undefined,
    program,
  };
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
