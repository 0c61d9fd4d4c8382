// What a training step minimises, and its gradients.
import { declareParameters } from '../nn/parameters.ts';
import { mul } from '../ops/index.ts';
import { type ActivationMemory, type Program, grad, trace } from '../program/index.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';
import type { LossBatch, Task, TaskLoss } from './task.ts';

export interface TrainingLoss {
  readonly task: Task;
  /** B, samples that are computed at once. */
  readonly batch: number;
  /** Whether the backward pass finds what blocks make, or makes it again; kept by default. */
  readonly memory?: ActivationMemory | undefined;
  /** Whether gradients are made larger by an input, lossScale [], so that small ones survive in float16. */
  readonly lossScaling?: boolean | undefined;
}

export interface Loss extends TaskLoss {
  readonly trainable: readonly Tensor[];
  /** [], where gradients are scaled: `minimised` is, too. */
  readonly lossScale: Tensor | undefined;
}

/** The loss [] and what is told of the samples [B], with the step's inputs that they depend on, and the weights as its state. */
export function lossProgram(training: TrainingLoss, sampleShape?: Shape): Program {
  return trace('loss', (graph) => {
    const { loss, ofSamples } = declareLoss(graph, training, sampleShape);
    return { loss, ...ofSamples };
  });
}

/** Like `lossProgram`, with an output grad/<name> for each parameter in place of what is told of the samples. */
export function gradientProgram(training: TrainingLoss, sampleShape?: Shape): Program {
  return trace('gradient', (graph) => {
    const { trainable, loss, gradients } = lossAndGradients(graph, training, sampleShape);
    return { loss, ...Object.fromEntries(trainable.map(({ name }, i) => [`grad/${name}`, gradients[i]!])) };
  });
}

/**
 * Declares a step's inputs and its loss.
 * @param isPart of a step's samples: then there is one more input, sampleWeights [B], how much of the step's mean each of them is
 */
function declareLoss(
  graph: Graph,
  { task, batch: size, lossScaling = false }: TrainingLoss,
  sampleShape: Shape = task.sampleShape,
  isPart = false,
): Loss {
  const { parameters } = task.module;
  const params = declareParameters(graph, parameters);
  const inputs = task
    .inputs(sampleShape)
    .map(({ name, shape, dtype }) => [name, graph.input(name, [size, ...shape], dtype)] as const);
  const batch: LossBatch = {
    size,
    inputs: Object.fromEntries(inputs),
    step: graph.input('step', [], 'int32'),
    firstSample: once(() => graph.input('firstSample', [], 'int32')),
    sampleWeights: isPart ? graph.input('sampleWeights', [size]) : undefined,
  };
  const lossScale = lossScaling ? graph.input('lossScale', []) : undefined;
  const { minimised, ...told } = task.loss(graph, params, batch);
  return {
    ...told,
    trainable: parameters.map(({ name }) => params(name)),
    minimised: lossScale ? mul(minimised, lossScale) : minimised,
    lossScale,
  };
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** @param isPart as in `declareLoss` */
export function lossAndGradients(
  graph: Graph,
  training: TrainingLoss,
  sampleShape?: Shape,
  isPart = false,
): Loss & { readonly gradients: readonly Tensor[] } {
  const declared = declareLoss(graph, training, sampleShape, isPart);
  const { minimised, trainable } = declared;
  return { ...declared, gradients: grad(minimised, trainable, { memory: training.memory }) };
}
