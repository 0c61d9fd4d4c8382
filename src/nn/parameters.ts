import { internalError } from '../tensor/errors.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';
import type { Initializer } from './initializers.ts';

/** One array of a model's weights, by the name that it has in files. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly init: Initializer;
}

/** The weights of a model that is being traced, by name. */
export type Parameters = (name: string) => Tensor;

/** Declares every parameter as state of the program, under its own name or with `prefix` in front. */
export function declareParameters(graph: Graph, specs: readonly ParameterSpec[], prefix = ''): Parameters {
  const tensors = new Map(
    specs.map(({ name, shape }) => [name, graph.stateful(prefix + name, shape)] as const),
  );
  return (name) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw internalError(`the model declares no parameter ${name}`);
    return tensor;
  };
}

/**
 * Records the values that a new model's parameter starts with: a function of the seed and the parameter's name alone, so that
 * every backend starts from the same weights (to rounding), and a parameter keeps its values when others are added beside it.
 * @param step int32 [], 0 when the program runs
 */
export function initialValue({ name, shape, init }: ParameterSpec, step: Tensor, seed: number): Tensor {
  return init(shape, { step, seed, stream: parameterStream(name) });
}

/** FNV-1a of the name, in the upper half of the streams: the lower half belongs to training and sampling. */
function parameterStream(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash | 0x80000000) >>> 0;
}
