import type { Cost } from './cost.ts';
import type { ParameterSpec, Parameters } from '../nn/parameters.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';

/** Something that a model is told of each sample, beside x and t: a label, the tokens of a caption. */
export interface ConditionSpec {
  /** Of the program's input. */
  readonly name: string;
  /** Of one sample; [] for a number. */
  readonly shape: Shape;
  readonly dtype: 'int32' | 'float32';
  /** What it is for a sample of which nothing is told (classifier-free guidance): as many numbers as `shape` holds. */
  readonly absent: readonly number[];
  /** Whole numbers are from 0 to below this. */
  readonly limit?: number;
}

/** The conditions of a batch, by name: [B, ...shape]. */
export type Conditions = Readonly<Record<string, Tensor>>;

/** What training and sampling know of a model, whatever it is a model of. */
export interface Model {
  /** One sample, without the batch: [C, H, W] for images, [G] for gene expression. */
  readonly sampleShape: Shape;
  /** Empty for an unconditional model. */
  readonly conditions: readonly ConditionSpec[];
  readonly parameters: readonly ParameterSpec[];
  /** Of one sample. */
  readonly cost: Cost;
  /**
   * The velocity x1 - x0 expected at x, time t.
   * @param params the weights, by name
   * @param x [B, ...sampleShape]
   * @param t [B] in [0, 1], float32
   * @param conditions one for each that the model declares
   * @returns [B, ...sampleShape]
   */
  velocity(params: Parameters, x: Tensor, t: Tensor, conditions: Conditions): Tensor;
}

/** The label of a model with classes, [] int32 from 0 to classes - 1; `classes` itself is the null label. */
export function labelCondition(classes: number): ConditionSpec[] {
  if (classes === 0) return [];
  return [{ name: 'labels', shape: [], dtype: 'int32', absent: [classes], limit: classes }];
}

/** A program's inputs for the conditions of `rows` samples. */
export function declareConditions(graph: Graph, { conditions }: Model, rows: number): Conditions {
  return Object.fromEntries(
    conditions.map(({ name, shape, dtype }) => [name, graph.input(name, [rows, ...shape], dtype)]),
  );
}

/** Trainable parameters; fixed tables are not counted. */
export function countParameters({ parameters }: Model): number {
  return parameters.reduce((total, { shape, trainable }) => total + (trainable ? sizeOf(shape) : 0), 0);
}
