import type { Cost } from './cost.ts';
import type { Module } from '../nn/module.ts';
import type { Parameters } from '../nn/parameters.ts';
import { formatShape, valueError } from '../tensor/errors.ts';
import { type Shape, sameShape, sizeOf } from '../tensor/shape.ts';
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
  /**
   * Of one that is told also where nothing else is, so that guidance is not towards it: what it is for a sample of a shape where
   * nobody says.
   */
  readonly always?: (sampleShape: Shape) => readonly number[];
  /** Whole numbers are from 0 to below this. */
  readonly limit?: number;
}

/** The conditions of a batch, by name: [B, ...shape]. */
export type Conditions = Readonly<Record<string, Tensor>>;

/** A module that learns from samples, whatever it makes of them: what a config names, and a run trains. */
export interface SampleModel extends Module {
  /** One sample that it is made for, without the batch: [C, H, W] for images, [G] for gene expression. */
  readonly sampleShape: Shape;
  /** Of one sample; where that depends on its shape, as a function of it. */
  readonly cost: Cost | ((sampleShape: Shape) => Cost);
  /**
   * Refuses samples of a shape that it cannot take. A model without this takes those of its own shape alone.
   * @throws RectiflowError that says which shapes there can be
   */
  checkShape?(sampleShape: Shape): void;
}

/** One that says a velocity: what flows train and sample, whatever it is a model of. */
export interface VelocityModel extends SampleModel {
  /** Empty for an unconditional model. */
  readonly conditions: readonly ConditionSpec[];
  /**
   * The velocity x1 - x0 expected at x, time t.
   * @param params the weights, by name
   * @param x [B, ...shape of a sample]: that of this batch
   * @param t [B] in [0, 1], float32
   * @param conditions one for each that the model declares
   * @returns [B, ...shape of a sample]
   */
  velocity(params: Parameters, x: Tensor, t: Tensor, conditions: Conditions): Tensor;
}

export function isVelocity(model: SampleModel): model is VelocityModel {
  return 'velocity' in model;
}

/** The label of a model with classes, [] int32 from 0 to classes - 1; `classes` itself is the null label. */
export function labelCondition(classes: number): ConditionSpec[] {
  if (classes === 0) return [];
  return [{ name: 'labels', shape: [], dtype: 'int32', absent: [classes], limit: classes }];
}

/** A program's inputs for the conditions of `rows` samples. */
export function declareConditions(graph: Graph, { conditions }: VelocityModel, rows: number): Conditions {
  return Object.fromEntries(
    conditions.map(({ name, shape, dtype }) => [name, graph.input(name, [rows, ...shape], dtype)]),
  );
}

export function countParameters({ parameters }: Module): number {
  return parameters.reduce((total, { shape }) => total + sizeOf(shape), 0);
}

/** What a sample costs. @param sampleShape that of the model by default */
export function costOf(model: SampleModel, sampleShape: Shape = model.sampleShape): Cost {
  return typeof model.cost === 'function' ? model.cost(sampleShape) : model.cost;
}

/**
 * @param where what the error begins with
 * @throws RectiflowError where the model cannot take samples of this shape
 */
export function checkShape(model: SampleModel, sampleShape: Shape, where: string): void {
  if (sameShape(sampleShape, model.sampleShape)) return;
  if (model.checkShape) model.checkShape(sampleShape);
  else {
    const wanted = `${formatShape(model.sampleShape)}: this model takes samples of no other`;
    throw valueError(where, 'shape', wanted, formatShape(sampleShape));
  }
}
