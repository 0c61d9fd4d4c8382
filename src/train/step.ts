// A whole training step as one program: draws, forward, backward, clipping, AdamW and EMA.
import { type LossWeighting, lossWeights } from '../flow/loss-weighting.ts';
import { rectifiedFlowLoss, velocityTarget, weightedFlowLoss } from '../flow/rectified-flow.ts';
import { type Model, declareConditions } from '../models/model.ts';
import { declareParameters } from '../nn/parameters.ts';
import { constant, globalNorm } from '../ops/index.ts';
import { type AdamWSettings, type DecayedParameters, updateParameters } from '../optim/adamw.ts';
import { clipScale } from '../optim/clipping.ts';
import { type Program, grad, trace } from '../program/index.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';
import type { Draw } from './draw.ts';
import { blockNorms, sampleErrors } from './step-outputs.ts';

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
}

/**
 * One optimizer step.
 *
 * Inputs: x0 [B, ...sampleShape]; the model's conditions, [B, ...] each; step int32 [], 1 for the first; learningRate
 * [] and emaDecay []; those of the draw.
 * State: the weights by their names; for each trainable one also adamw.m/<name>, adamw.v/<name> and ema/<name>.
 * Outputs: loss [], without weights; gradNorm [], before clipping, of what is minimised. For the log: the samples' losses and
 * times, [B] each, and gradNorms [blocks], in the order of `blocksOf`.
 */
export function trainingStepProgram({ adamw, decayed, maxGradNorm, ...objective }: TrainingStep): Program {
  return trace('trainingStep', (graph) => {
    const { step, trainable, loss, losses, times, gradients } = lossAndGradients(graph, objective);
    const learningRate = graph.input('learningRate', []);
    const emaDecay = graph.input('emaDecay', []);
    const gradNorm = globalNorm(gradients);
    const gradNorms = blockNorms(trainable, gradients);
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
    return { loss, gradNorm, losses, times, gradNorms };
  });
}

/** The loss [] and the samples' losses [B], with the step's inputs but for learningRate and emaDecay; the weights are its state. */
export function lossProgram(objective: Objective): Program {
  return trace('loss', (graph) => {
    const { loss, losses } = declareLoss(graph, objective);
    return { loss, losses };
  });
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
  /** Of each sample, without weights, and the time that it was looked at: [B]. */
  readonly losses: Tensor;
  readonly times: Tensor;
}

function declareLoss(graph: Graph, { model, batch, draw, weighting = { kind: 'none' } }: Objective): Loss {
  const params = declareParameters(graph, model.parameters);
  const x0 = graph.input('x0', [batch, ...model.sampleShape]);
  const given = declareConditions(graph, model, batch);
  const step = graph.input('step', [], 'int32');
  const { x1, t, conditions } = draw({ x0, conditions: given, step });
  const outputs: Tensor[] = [];
  const velocity = (xt: Tensor, time: Tensor): Tensor => {
    const output = model.velocity(params, xt, time, conditions);
    outputs.push(output);
    return output;
  };
  const trainable = model.parameters.filter((spec) => spec.trainable).map(({ name }) => params(name));
  const total = totalLoss(velocity, x0, x1, t, weighting);
  const losses = sampleErrors(outputs[0]!, velocityTarget(x0, x1));
  return { step, trainable, ...total, losses, times: t };
}

function totalLoss(
  velocity: (xt: Tensor, t: Tensor) => Tensor,
  x0: Tensor,
  x1: Tensor,
  t: Tensor,
  weighting: LossWeighting,
): Pick<Loss, 'loss' | 'minimised'> {
  if (weighting.kind !== 'none')
    return weightedFlowLoss(velocity, x0, x1, t, (times) => lossWeights(weighting, times));
  const loss = rectifiedFlowLoss(velocity, x0, x1, t);
  return { loss, minimised: loss };
}

function lossAndGradients(graph: Graph, objective: Objective): Loss & { gradients: Tensor[] } {
  const declared = declareLoss(graph, objective);
  return { ...declared, gradients: grad(declared.minimised, declared.trainable) };
}
