// What a training step minimises, and its gradients.
import { type Network, type Objective, meanLoss } from '../flow/objective.ts';
import { rectifiedFlow } from '../flow/rectified-flow.ts';
import { type Model, declareConditions } from '../models/model.ts';
import { declareParameters } from '../nn/parameters.ts';
import { mul } from '../ops/index.ts';
import { type ActivationMemory, type Program, grad, trace } from '../program/index.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';
import type { Draw } from './draw.ts';

export interface TrainingLoss {
  readonly model: Model;
  /** B, samples that are computed at once. */
  readonly batch: number;
  /** Where noise, times and dropped labels come from. */
  readonly draw: Draw;
  /** What the model learns to say; rectified flow by default. */
  readonly objective?: Objective | undefined;
  /** Whether the backward pass finds what blocks make, or makes it again; kept by default. */
  readonly memory?: ActivationMemory | undefined;
  /** Whether gradients are made larger by an input, lossScale [], so that small ones survive in float16. */
  readonly lossScaling?: boolean | undefined;
}

export interface Loss {
  readonly step: Tensor;
  readonly trainable: readonly Tensor[];
  /** The mean squared error, which is comparable between runs of an objective. */
  readonly loss: Tensor;
  /** What the gradients are of: the loss, weighted where samples count by their times, and scaled. */
  readonly minimised: Tensor;
  /** [], where gradients are scaled. */
  readonly lossScale: Tensor | undefined;
  /** Of each sample, without weights, and the time that it was looked at: [B]. */
  readonly losses: Tensor;
  readonly times: Tensor;
}

/** The loss [] and the samples' losses [B], with the step's inputs that they depend on, and the weights as its state. */
export function lossProgram(training: TrainingLoss): Program {
  return trace('loss', (graph) => {
    const { loss, losses } = declareLoss(graph, training);
    return { loss, losses };
  });
}

/** Like `lossProgram`, with a further output grad/<name> for each trainable parameter. */
export function gradientProgram(training: TrainingLoss): Program {
  return trace('gradient', (graph) => {
    const { trainable, loss, gradients } = lossAndGradients(graph, training);
    return { loss, ...Object.fromEntries(trainable.map(({ name }, i) => [`grad/${name}`, gradients[i]!])) };
  });
}

/**
 * Declares a step's inputs and its loss.
 * @param isPart of a step's samples: then there are two more inputs, firstSample int32 [], the index in the step of the first of
 * them, and sampleWeights [B], how much of the step's mean each of them is
 */
function declareLoss(graph: Graph, training: TrainingLoss, isPart = false): Loss {
  const { model, batch, draw, objective = rectifiedFlow(), lossScaling = false } = training;
  const params = declareParameters(graph, model.parameters);
  const x0 = graph.input('x0', [batch, ...model.sampleShape]);
  const given = declareConditions(graph, model, batch);
  const step = graph.input('step', [], 'int32');
  const firstSample = isPart ? graph.input('firstSample', [], 'int32') : undefined;
  const sampleWeights = isPart ? graph.input('sampleWeights', [batch]) : undefined;
  const lossScale = lossScaling ? graph.input('lossScale', []) : undefined;
  const { x1, t: drawn, conditions } = draw({ x0, conditions: given, step, firstSample });
  const t = objective.times?.(drawn) ?? drawn;
  const network: Network = (xt, time) => model.velocity(params, xt, time, conditions);
  const trainable = model.parameters.filter((spec) => spec.trainable).map(({ name }) => params(name));
  const { minimised, ...told } = meanLoss(objective, network, { x0, x1, t }, sampleWeights);
  return {
    step,
    trainable,
    ...told,
    times: t,
    minimised: lossScale ? mul(minimised, lossScale) : minimised,
    lossScale,
  };
}

/** @param isPart as in `declareLoss` */
export function lossAndGradients(
  graph: Graph,
  training: TrainingLoss,
  isPart = false,
): Loss & { gradients: Tensor[] } {
  const declared = declareLoss(graph, training, isPart);
  const { minimised, trainable } = declared;
  return { ...declared, gradients: grad(minimised, trainable, { memory: training.memory }) };
}
