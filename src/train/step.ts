// A whole training step as one program: draws, forward, backward, clipping, AdamW and EMA.
import { type LossWeighting, lossWeights } from '../flow/loss-weighting.ts';
import { rectifiedFlowLoss, weightedFlowLoss } from '../flow/rectified-flow.ts';
import { type Model, declareConditions } from '../models/model.ts';
import { declareParameters } from '../nn/parameters.ts';
import { constant, globalNorm, lerpAssign } from '../ops/index.ts';
import { type AdamWSettings, type DecayedParameters, updateParameters } from '../optim/adamw.ts';
import { clipScale } from '../optim/clipping.ts';
import { type Program, grad, trace } from '../program/index.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';
import { averageTensor, averageWeightInput } from './averages.ts';
import type { Draw } from './draw.ts';

/** Prefixes of the optimizer's state; the weights themselves have the model's own names. */
export const statePrefixes = { m: 'adamw.m/', v: 'adamw.v/', ema: 'ema/' } as const;

/** What both the loss and the step are made of. */
export interface Objective {
  readonly model: Model;
  /** B, samples per step. */
  readonly batch: number;
  /** Where noise, times and dropped labels come from. */
  readonly draw: Draw;
  /** How much samples count by their times; all the same by default. */
  readonly weighting?: LossWeighting | undefined;
}

export interface TrainingStep extends Objective {
  readonly adamw: AdamWSettings;
  /** All by default. */
  readonly decayed?: DecayedParameters | undefined;
  /** Gradients are scaled down to this global norm; not at all where it is undefined. */
  readonly maxGradNorm?: number | undefined;
  /** Names of averages beside the one that `adamw` keeps; none by default. */
  readonly averages?: readonly string[] | undefined;
}

/**
 * One optimizer step.
 *
 * Inputs: x0 [B, ...sampleShape]; the model's conditions, [B, ...] each; step int32 [], 1 for the first; learningRate
 * [] and emaDecay []; emaWeight/<average> [] for each further average; those of the draw.
 * State: the weights by their names; for each trainable one also adamw.m/<name>, adamw.v/<name>, ema/<name> and, for each further
 * average, ema.<average>/<name>.
 * Outputs: loss [], without weights; gradNorm [], before clipping, of what is minimised.
 */
export function trainingStepProgram({
  adamw,
  decayed,
  maxGradNorm,
  averages = [],
  ...objective
}: TrainingStep): Program {
  return trace('trainingStep', (graph) => {
    const { step, trainable, loss, gradients } = lossAndGradients(graph, objective);
    const learningRate = graph.input('learningRate', []);
    const emaDecay = graph.input('emaDecay', []);
    const gradNorm = globalNorm(gradients);
    const gradScale =
      maxGradNorm === undefined
        ? constant(gradNorm, [], Float64Array.of(1))
        : clipScale(gradNorm, maxGradNorm);
    const parameters = trainable.map((param, i) => {
      const beside = (prefix: string): Tensor => graph.stateful(`${prefix}${param.name}`, param.shape);
      const { m, v, ema } = statePrefixes;
      return { param, grad: gradients[i]!, m: beside(m), v: beside(v), ema: beside(ema) };
    });
    updateParameters(parameters, { gradScale, learningRate, step, emaDecay }, adamw, decayed);
    for (const name of averages) {
      const weight = graph.input(averageWeightInput(name), []);
      for (const param of trainable)
        lerpAssign(graph.stateful(averageTensor(name, param.name!), param.shape), param, weight);
    }
    return { loss, gradNorm };
  });
}

/** The loss alone, with the step's inputs but for learningRate and emaDecay, and the weights as its state. */
export function lossProgram(objective: Objective): Program {
  return trace('loss', (graph) => ({ loss: declareLoss(graph, objective).loss }));
}

/** Like `lossProgram`, with a further output grad/<name> for each trainable parameter. */
export function gradientProgram(objective: Objective): Program {
  return trace('gradient', (graph) => {
    const { trainable, loss, gradients } = lossAndGradients(graph, objective);
    return { loss, ...Object.fromEntries(trainable.map(({ name }, i) => [`grad/${name}`, gradients[i]!])) };
  });
}

interface Loss {
  readonly step: Tensor;
  readonly trainable: readonly Tensor[];
  /** The mean squared error of the velocity, which is comparable between runs. */
  readonly loss: Tensor;
  /** What the gradients are of: the loss, weighted where samples count by their times. */
  readonly minimised: Tensor;
}

function declareLoss(graph: Graph, { model, batch, draw, weighting = { kind: 'none' } }: Objective): Loss {
  const params = declareParameters(graph, model.parameters);
  const x0 = graph.input('x0', [batch, ...model.sampleShape]);
  const given = declareConditions(graph, model, batch);
  const step = graph.input('step', [], 'int32');
  const { x1, t, conditions } = draw({ x0, conditions: given, step });
  const velocity = (xt: Tensor, time: Tensor): Tensor => model.velocity(params, xt, time, conditions);
  const trainable = model.parameters.filter((spec) => spec.trainable).map(({ name }) => params(name));
  if (weighting.kind === 'none') {
    const loss = rectifiedFlowLoss(velocity, x0, x1, t);
    return { step, trainable, loss, minimised: loss };
  }
  const losses = weightedFlowLoss(velocity, x0, x1, t, (times) => lossWeights(weighting, times));
  return { step, trainable, ...losses };
}

function lossAndGradients(graph: Graph, objective: Objective): Loss & { gradients: Tensor[] } {
  const declared = declareLoss(graph, objective);
  return { ...declared, gradients: grad(declared.minimised, declared.trainable) };
}
