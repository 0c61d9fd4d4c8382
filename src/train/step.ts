// A whole training step: draws, forward, backward, clipping, AdamW and EMA, as one program; or, where its samples do not fit into
// the memory at once, as one that is run for each micro-batch and one that ends the step.
import { declareParameters } from '../nn/parameters.ts';
import { accumulate, add, affine, constant, globalNorm, lerpAssign, mul, reciprocal } from '../ops/index.ts';
import { type AdamWSettings, type DecayedParameters, updateParameters } from '../optim/adamw.ts';
import { clipScale } from '../optim/clipping.ts';
import { type Program, changeEarly, trace } from '../program/index.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';
import { averageTensor, averageWeightInput } from './averages.ts';
import { type Loss, type TrainingLoss, lossAndGradients } from './loss.ts';
import { blockNorms } from './step-outputs.ts';

/** Prefixes of the optimizer's state; the weights themselves have the model's own names. */
export const statePrefixes = { m: 'adamw.m/', v: 'adamw.v/', ema: 'ema/' } as const;

/** Where the sums over micro-batches are kept; they mean nothing between steps. */
const totals = { loss: 'total/loss', gradient: 'total/gradient/' } as const;

/** Whether state of that name is such a sum. */
export function isTotal(name: string): boolean {
  return name === totals.loss || name.startsWith(totals.gradient);
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
 * One optimizer step. Where the loss or the gradient's norm is not a finite number, it leaves all state as it was.
 *
 * Inputs: x0 [B, ...sampleShape]; the model's conditions, [B, ...] each; step int32 [], 1 for the first, which randomness is a
 * function of; update int32 [], 1 for the first step that changes weights; learningRate [] and emaDecay [];
 * emaWeight/<average> [] for each further average; those of the draw; lossScale [] where there is one.
 * State: the weights by their names; for each trainable one also adamw.m/<name>, adamw.v/<name>, ema/<name> and, for each further
 * average, ema.<average>/<name>.
 * Outputs: loss [], without weights; gradNorm [], before clipping, of what is minimised; gradScale [], NaN where nothing was
 * changed. For the log: the samples' losses and times, [B] each, and gradNorms [blocks], in the order of `blocksOf`.
 */
export function trainingStepProgram(training: TrainingStep): Program {
  return trace('trainingStep', (graph) => {
    const { losses, times, ...declared } = lossAndGradients(graph, training);
    return { losses, times, ...update(graph, declared, training) };
  });
}

/**
 * The gradients of a part of a step's samples, added to those of the parts before.
 *
 * Inputs: those of the step that the loss depends on; firstSample int32 [], the index in the step of the first sample here;
 * sampleWeights [B], how much of the step's mean each is: 1 / samples of the step, 0 for one that only fills up the batch; restart
 * [], 1 for the first part of a step, else 0.
 * State: the weights, and the totals that `updateProgram` reads.
 * Outputs: the samples' losses and times, [B] each.
 */
export function microBatchProgram(training: TrainingLoss): Program {
  const program = trace('microBatch', (graph) => {
    const { trainable, loss, losses, times, gradients } = lossAndGradients(graph, training, true);
    const restart = graph.input('restart', []);
    accumulate(graph.stateful(totals.loss, []), loss, restart);
    trainable.forEach((param, i) => accumulate(total(graph, param), gradients[i]!, restart));
    return { losses, times };
  });
  // Each gradient is gone as soon as it is added.
  return changeEarly(program);
}

/** What ends a step whose gradients were accumulated: inputs, state and outputs are those of `trainingStepProgram` that are left. */
export function updateProgram(training: TrainingStep): Program {
  return trace('update', (graph) => {
    const { model, lossScaling = false } = training;
    const params = declareParameters(graph, model.parameters);
    const trainable = model.parameters.filter((spec) => spec.trainable).map(({ name }) => params(name));
    const gradients = trainable.map((param) => total(graph, param));
    const loss = graph.stateful(totals.loss, []);
    const lossScale = lossScaling ? graph.input('lossScale', []) : undefined;
    return update(graph, { trainable, loss, gradients, lossScale }, training);
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
  const emaDecay = graph.input('emaDecay', []);
  const unscaled = (x: Tensor): Tensor => (lossScale ? mul(x, reciprocal(lossScale)) : x);
  const gradNorm = unscaled(globalNorm(gradients));
  const clipped =
    maxGradNorm === undefined ? constant(gradNorm, [], Float64Array.of(1)) : clipScale(gradNorm, maxGradNorm);
  // Zero times a number is zero, but for infinities and NaN.
  const nothing = add(affine(loss, 0, 0), affine(gradNorm, 0, 0));
  const gradScale = add(unscaled(clipped), nothing);
  const parameters = trainable.map((param, i) => {
    const beside = (prefix: string): Tensor => graph.stateful(`${prefix}${param.name}`, param.shape);
    const { m, v, ema } = statePrefixes;
    return { param, grad: gradients[i]!, m: beside(m), v: beside(v), ema: beside(ema) };
  });
  updateParameters(parameters, { gradScale, learningRate, step: number, emaDecay }, adamw, decayed);
  for (const name of averages) {
    const weight = add(graph.input(averageWeightInput(name), []), nothing);
    for (const param of trainable)
      lerpAssign(graph.stateful(averageTensor(name, param.name!), param.shape), param, weight);
  }
  const gradNorms = unscaled(blockNorms(trainable, gradients));
  return { loss, gradNorm, gradScale, gradNorms };
}
