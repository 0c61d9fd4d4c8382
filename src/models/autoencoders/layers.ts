// Layers of convolutional networks, each in one place: its parameters, what it computes, and what that costs and sees.
import { uniformOfInputs, ones, zeros } from '../../nn/initializers.ts';
import type { ParameterSpec, Parameters } from '../../nn/parameters.ts';
import { type Activation, conv2d, groupNorm, upsampleNearest } from '../../ops/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/** A picture on its way through layers: what it is now, and what it took to get here. */
export interface Passage {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Floating-point operations so far, of products alone. */
  readonly cost: number;
  /** From one pixel to the next, in latent pixels. */
  readonly step: number;
  /** How far from its place a pixel sees, in latent pixels; infinite where all of the picture meets. */
  readonly reach: number;
}

export interface Layer {
  readonly parameters: readonly ParameterSpec[];
  /** x [B, channels, height, width] */
  apply(params: Parameters, x: Tensor): Tensor;
  follow(passage: Passage): Passage;
}

/** A layer that changes no shape, and costs nearly nothing. */
export function pointwise(apply: (x: Tensor) => Tensor): Layer {
  return { parameters: [], apply: (_, x) => apply(x), follow: (passage) => passage };
}

/** One after the other. */
export function sequence(layers: readonly Layer[]): Layer {
  return {
    parameters: layers.flatMap(({ parameters }) => parameters),
    apply: (params, x) => layers.reduce((h, layer) => layer.apply(params, h), x),
    follow: (passage) => layers.reduce((so, layer) => layer.follow(so), passage),
  };
}

/** As a sequence, whose values can be made again in the backward pass (`Graph.block`). */
export function block(layer: Layer): Layer {
  return { ...layer, apply: (params, x) => x.graph.block(() => layer.apply(params, x)) };
}

/** The sum of what both make of the same. @param aside 1x1 at most: it sees no further, and changes no sides */
export function joined(main: Layer, aside: Layer, join: (main: Tensor, aside: Tensor) => Tensor): Layer {
  return {
    parameters: [...main.parameters, ...aside.parameters],
    apply: (params, x) => join(main.apply(params, x), aside.apply(params, x)),
    follow(passage) {
      const cost = aside.follow(passage).cost - passage.cost;
      const along = main.follow(passage);
      return { ...along, cost: along.cost + cost };
    },
  };
}

interface ConvolutionOptions {
  /** Of the kernel; 3 by default. */
  readonly side?: number;
  readonly stride?: number;
  /** Zeros around the picture; as many on all sides as keep its size by default. */
  readonly padding?: readonly [top: number, bottom: number, left: number, right: number];
  readonly bias?: boolean;
}

export function convolution(
  name: string,
  inputs: number,
  outputs: number,
  { side = 3, stride = 1, padding, bias = true }: ConvolutionOptions = {},
): Layer {
  const half = (side - 1) / 2;
  const weight = { name: `${name}.weight`, shape: [outputs, inputs, side, side], init: uniformOfInputs };
  return {
    parameters: [weight, ...(bias ? [{ name: `${name}.bias`, shape: [outputs], init: zeros }] : [])],
    apply: (params, x) =>
      conv2d(x, params(`${name}.weight`), bias ? params(`${name}.bias`) : undefined, {
        stride,
        padding: padding ?? half,
      }),
    follow({ height, width, cost, step, reach }) {
      const [rows, columns] = [height / stride, width / stride];
      const products = 2 * inputs * side ** 2 * outputs * rows * columns;
      return {
        channels: outputs,
        height: rows,
        width: columns,
        cost: cost + products,
        step: step * stride,
        reach: reach + half * step,
      };
    },
  };
}

/** Over groups of channels and all pixels (Wu & He 2018). @param after what follows it */
export function groupNormalization(
  name: string,
  channels: number,
  groups: number,
  epsilon: number,
  after: Activation = 'none',
): Layer {
  return {
    parameters: [
      { name: `${name}.weight`, shape: [channels], init: ones },
      { name: `${name}.bias`, shape: [channels], init: zeros },
    ],
    apply: (params, x) =>
      groupNorm(x, params(`${name}.weight`), params(`${name}.bias`), groups, { epsilon, activation: after }),
    follow: (passage) => ({ ...passage, reach: Infinity }),
  };
}

/** Each pixel becomes four. */
export const upsampling: Layer = {
  parameters: [],
  apply: (_, x) => upsampleNearest(x),
  follow: (passage) => ({
    ...passage,
    height: 2 * passage.height,
    width: 2 * passage.width,
    step: passage.step / 2,
  }),
};
