// Encoders and decoders as stretches of layers, one after the other.
import type { ParameterSpec, Parameters } from '../../nn/parameters.ts';
import type { Shape } from '../../tensor/shape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Layer } from './layers.ts';

/** Values on a grid that is so many times finer than that of the latent pixels. */
export interface Lattice {
  readonly channels: number;
  /** Of one side: the factor for pictures, 1 for latents. */
  readonly scale: number;
}

/** A stretch of an encoder or a decoder, through which a picture can be taken on its own. */
export interface Part {
  readonly parameters: readonly ParameterSpec[];
  readonly input: Lattice;
  readonly output: Lattice;
  /**
   * How far a value of the output sees, in latent pixels: what is further away makes no difference to it. Undefined where a norm or an
   * attention sees the whole picture.
   */
  readonly reach: number | undefined;
  /** x on the input's lattice, [B, channels, scale rows, scale columns] */
  apply(params: Parameters, x: Tensor): Tensor;
  /** Floating-point operations of one picture of so many latent pixels. */
  cost(rows: number, columns: number): number;
}

/** @param input of the first of the layers */
export function partsOf(layers: readonly Layer[], input: Lattice): Part[] {
  let from = input;
  return layers.map((layer) => {
    const part = partOf(layer, from);
    from = part.output;
    return part;
  });
}

function partOf(layer: Layer, input: Lattice): Part {
  const { channels, scale } = input;
  const follow = (rows: number, columns: number) =>
    layer.follow({
      channels,
      height: rows * scale,
      width: columns * scale,
      cost: 0,
      step: 1 / scale,
      reach: 0,
    });
  const one = follow(1, 1);
  return {
    parameters: layer.parameters,
    input,
    output: { channels: one.channels, scale: one.height },
    reach: Number.isFinite(one.reach) ? Math.ceil(one.reach) : undefined,
    apply: (params, x) => layer.apply(params, x),
    cost: (rows, columns) => follow(rows, columns).cost,
  };
}

/** All of them, one after the other. */
export function applyParts(parts: readonly Part[], params: Parameters, x: Tensor): Tensor {
  return parts.reduce((h, part) => part.apply(params, h), x);
}

/** Of one picture, [C, H, W]. */
export function costOfParts(parts: readonly Part[], [, height, width]: Shape, factor: number): number {
  return parts.reduce((sum, part) => sum + part.cost(height! / factor, width! / factor), 0);
}
