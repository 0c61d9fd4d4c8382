// A whole training step: draws, forward, backward, clipping, AdamW and EMA, as one program; or, where its samples do not fit into
// the memory at once, as one that is run for each micro-batch and one that ends the step.
import { declareParameters } from '../nn/parameters.ts';
import {
  accumulate,
  constant,
  globalNorm,
  isFinite,
  lerpAssign,
  mul,
  reciprocal,
  reshape,
  slice,
  square,
} from '../ops/index.ts';
import { type AdamWSettings, type DecayedParameters, updateParameters } from '../optim/adamw.ts';
import { clipScale } from '../optim/clipping.ts';
import { type Program, changeEarly, trace } from '../program/index.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';
import { averageTensor, averageWeightInput } from './averages.ts';
import { type Loss, type TrainingLoss, lossAndGradients } from './loss.ts';
import { blockNorms } from './step-outputs.ts';

/** Prefixes of the optimizer's state; the weights themselves have the model's own names. */
export const statePrefixes = { m: 'adamw.m/', v: 'adamw.v/', ema: 'ema/' } as const;

/** Where sums over micro-batches are kept, and what their samples tell; it means nothing between steps. */
const totals = {
  loss: 'total/loss',
  losses: 'total/losses',
  times: 'total/times',
  gradient: 'total/gradient/',
} as const;

/** Whether state of that name is such a sum. */
export function isTotal(name: string): boolean {
  return name.startsWith('total/');
}

export interface TrainingStep extends TrainingLoss {
  readonly adamw: AdamWSettings;
  /** All by default. */
  readonly decayed?: DecayedParameters | undefined;
  /** Gradients are scaled down to this global norm; not at all where it is undefined. */
  readonly maxGradNorm?: number | undefined;
  /** Names of averages beside the one that `adamw` keeps; none by default. */
  readonly averages?: readonly string[] | undefined;
}

/**
 * One optimizer step. Where the loss or the square of the gradient's norm is not a finite number, it leaves all state as it was.
 *
 * Inputs: x0 [B, ...sampleShape]; the model's conditions, [B, ...] each; step int32 [], 1 for the first, which randomness is a
 * function of; update int32 [], 1 for the first step that changes weights; learningRate [] and emaWeight [];
 * emaWeight/<average> [] for each further average; those of the draw; lossScale [] where there is one.
 * State: the weights by their names; for each trainable one also adamw.m/<name>, adamw.v/<name>, ema/<name> and, for each further
 * average, ema.<average>/<name>.
 * Outputs: loss [], without weights; gradNorm [], before clipping, of what is minimised; counts int32 [], 0 where
 * nothing was changed. For the log: the samples' losses and times, [B] each, and gradNorms [blocks], in the order of `blocksOf`.
 */
export function trainingStepProgram(training: TrainingStep): Program {
  return trace('trainingStep', (graph) => {
    const { losses, times, ...declared } = lossAndGradients(graph, training);
    return { losses, times, ...update(graph, declared, training) };
  });
}

/** Micro-batches of a step. */
export function partsOf({ batch }: Pick<TrainingLoss, 'batch'>, microBatch: number): number {
  return Math.ceil(batch / microBatch);
}

/**
 * The gradients of M of a step's samples, a part of `partsOf`, added to those of the parts before.
 *
 * Inputs: those of the step that the loss depends on; firstSample int32 [], the index in the step of the first sample here;
 * sampleWeights [M], how much of the step's mean each is: 1 / samples of the step, 0 for one that only fills up the part; restart
 * [], 1 for the first part of a step, else 0; part [parts, 1], 1 for the one that this is, else 0.
 * State: the weights, and the totals that `updateProgram` reads.
 * Outputs: the losses of the samples, [M].
 */
export function microBatchProgram(training: TrainingLoss, microBatch: number): Program {
  const parts = partsOf(training, microBatch);
  const program = trace('microBatch', (graph) => {
    const made = lossAndGradients(graph, { ...training, batch: microBatch }, true);
    const restart = graph.input('restart', []);
    const part = graph.input('part', [parts, 1]);
    accumulate(graph.stateful(totals.loss, []), made.loss, restart);
    for (const name of ['losses', 'times'] as const) {
      const placed = mul(part, reshape(made[name], [1, microBatch]));
      accumulate(graph.stateful(totals[name], [parts, microBatch]), placed, restart);
    }
    made.trainable.forEach((param, i) => accumulate(total(graph, param), made.gradients[i]!, restart));
    return { losses: made.losses };
  });
  // Each gradient is gone as soon as it is added.
  return changeEarly(program);
}

/** What ends a step whose gradients were accumulated: inputs, state and outputs are those of `trainingStepProgram` that are left. */
export function updateProgram(training: TrainingStep, microBatch: number): Program {
  const parts = partsOf(training, microBatch);
  return trace('update', (graph) => {
    const { model, batch, lossScaling = false } = training;
    const params = declareParameters(graph, model.parameters);
    const trainable = model.parameters.filter((spec) => spec.trainable).map(({ name }) => params(name));
    const gradients = trainable.map((param) => total(graph, param));
    const loss = graph.stateful(totals.loss, []);
    const lossScale = lossScaling ? graph.input('lossScale', []) : undefined;
    const ofSamples = (name: string): Tensor =>
      slice(reshape(graph.stateful(name, [parts, microBatch]), [parts * microBatch]), 0, 0, batch);
    return {
      losses: ofSamples(totals.losses),
      times: ofSamples(totals.times),
      ...update(graph, { trainable, loss, gradients, lossScale }, training),
    };
  });
}

function total(graph: Graph, { name, shape }: Tensor): Tensor {
  return graph.stateful(totals.gradient + name!, shape);
}

type Gradients = Pick<Loss, 'trainable' | 'loss' | 'lossScale'> & { readonly gradients: readonly Tensor[] };

/** Clips, and appends the update of everything that is trained. @returns the step's outputs */
function update(
  graph: Graph,
  { trainable, loss, gradients, lossScale }: Gradients,
  { adamw, decayed, maxGradNorm, averages = [] }: TrainingStep,
): Readonly<Record<string, Tensor>> {
  const number = graph.input('update', [], 'int32');
  const learningRate = graph.input('learningRate', []);
  const emaWeight = graph.input(averageWeightInput(), []);
  const unscaled = (x: Tensor): Tensor => (lossScale ? mul(x, reciprocal(lossScale)) : x);
  // The whole norm is that of the blocks' norms, so that all gradients are read once.
  const norms = blockNorms(trainable, gradients);
  const gradNorm = unscaled(globalNorm([norms]));
  const clipped =
    maxGradNorm === undefined ? constant(gradNorm, [], Float64Array.of(1)) : clipScale(gradNorm, maxGradNorm);
  // Second moments are squares, which must be finite too.
  const counts = isFinite([loss, square(mul(gradNorm, clipped))]);
  const parameters = trainable.map((param, i) => {
    const beside = (prefix: string): Tensor => graph.stateful(`${prefix}${param.name}`, param.shape);
    const { m, v, ema } = statePrefixes;
    return { param, grad: gradients[i]!, m: beside(m), v: beside(v), ema: beside(ema) };
  });
  const scalars = { gradScale: unscaled(clipped), learningRate, step: number, emaWeight, counts };
  updateParameters(parameters, scalars, adamw, decayed);
  for (const name of averages) {
    const weight = graph.input(averageWeightInput(name), []);
    for (const param of trainable)
      lerpAssign(graph.stateful(averageTensor(name, param.name!), param.shape), param, weight, counts);
  }
  return { loss, gradNorm, counts, gradNorms: unscaled(norms) };
}
