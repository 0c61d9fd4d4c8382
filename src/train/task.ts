// What a step learns: a module, what is given of each sample, and a loss written in ops.
import type { Module } from '../nn/module.ts';
import type { Parameters } from '../nn/parameters.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';

/** An input of the step's program that has a row for each sample: x0, labels. */
export interface SampleInput {
  readonly name: string;
  /** Of one sample; [] for a number. */
  readonly shape: Shape;
  readonly dtype: 'int32' | 'float32';
}

/** Samples of a step, all of them or a part, as a loss sees them. */
export interface LossBatch {
  /** B, how many there are. */
  readonly size: number;
  /** [B, ...shape] for each input of the task, by name. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** int32 [], 1 for the first step: randomness is a function of it. */
  readonly step: Tensor;
  /** int32 [], the index in the global batch of the first sample here: an input of the programs whose loss asks for it. */
  readonly firstSample: () => Tensor;
  /** [B], how much of the step's mean each sample is; all the same, 1 / B, where it is left out. */
  readonly sampleWeights?: Tensor | undefined;
}

export interface TaskLoss {
  /** [], which is logged and can be compared between runs. */
  readonly loss: Tensor;
  /** [], which is differentiated: the loss, or a weighted one. */
  readonly minimised: Tensor;
  /** Of each sample, [B], by the name of the output: the losses, and what else the log is told. */
  readonly ofSamples: Readonly<Record<string, Tensor>> & { readonly losses: Tensor };
}

/** Whoever trains may bring one: a plain object. */
export interface Task {
  readonly module: Module;
  /** Of a sample, where a batch does not say another. */
  readonly sampleShape: Shape;
  /** What is given of samples of a shape. */
  inputs(sampleShape: Shape): readonly SampleInput[];
  /** Records the loss of a batch. @param params the module's weights, by name */
  loss(graph: Graph, params: Parameters, batch: LossBatch): TaskLoss;
}
