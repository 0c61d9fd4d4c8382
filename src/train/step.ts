// A training step is parts -> reduce -> update: the gradients of its samples, part by part; what other processes add to them; and the
// change of what is trained. Where all of it is one part of one process nothing is between, and it is one program.
import { declareParameters } from '../nn/parameters.ts';
import {
  accumulate,
  accumulateTree,
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
import { clipScale } from '../optim/clipping.ts';
import { type ParameterGroup, optimizerOf, slotTensor } from '../optim/optimizer.ts';
import { type Program, changeEarly, trace } from '../program/index.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';
import { averageTensor, averageWeightInput } from './averages.ts';
import { type Loss, type TrainingLoss, lossAndGradients } from './loss.ts';
import { blocksOf } from './blocks.ts';
import { divide } from './division.ts';
import { type Ownership, isWhole, ownedPart, ownsAll } from './ranks/ownership.ts';
import { countsAfterLast } from './running-ahead.ts';
import { blockNorms, sliceNorms } from './step-outputs.ts';

/** Where sums over a step's parts are kept, and what their samples tell; it means nothing between steps. */
export const totals = {
  loss: 'total/loss',
  gradient: 'total/gradient/',
  ofSamples: 'total/samples/',
} as const;

/** Sums of fewer samples, by how many levels of the tree they are below the total. */
function below(levels: number, name: string): string {
  return levels === 0 ? name : name.replace('total/', `total/below-${levels}/`);
}

/** Whether state of that name is such a sum, or else means nothing between steps. */
export function isTotal(name: string): boolean {
  return name.startsWith('total/');
}

/** What the sum of a parameter's gradients is called. */
export function gradientTotal(parameter: string): string {
  return totals.gradient + parameter;
}

export interface TrainingStep extends TrainingLoss {
  /** What changes which parameters. */
  readonly optimizers: readonly ParameterGroup[];
  /** Gradients are scaled down to this global norm; not at all where it is undefined. */
  readonly maxGradNorm?: number | undefined;
  /** Names of averages beside the main one; none by default. */
  readonly averages?: readonly string[] | undefined;
  /** Into how many shards the samples here are divided, whose gradients are added up over a binary tree; 1 by default. */
  readonly shards?: number | undefined;
  /** Samples of the step on all ranks, whose mean is learnt from; those here, `batch`, by default. */
  readonly globalBatch?: number | undefined;
  /**
   * What is updated here of each parameter, where other ranks update the rest: moments and averages are kept of that alone. All of it by
   * default, in as many slices as there are shards.
   */
  readonly own?: Ownership | undefined;
  /** Whether it may be handed to the device before it is known whether the last one counted: then there is one more input, `settled`. */
  readonly runsAhead?: boolean | undefined;
}

/**
 * One optimizer step. Where the loss or the square of the gradient's norm is not a finite number, it leaves all state as it was.
 *
 * Inputs: those of the task, [B, ...] each; step int32 [], 1 for the first, which randomness is a function of; firstSample int32 [],
 * the index in the global batch of the first sample here, where the loss asks for it; update int32 [], 1 for the first step that
 * changes weights; learningRate [] and emaWeight []; emaWeight/<average> [] for each further average; lossScale [] where there is one.
 * State: the weights by their names; for each one also the slots of its optimizer (`slotTensor`), ema/<name> and, for each
 * further average, ema.<average>/<name>.
 * Outputs: loss [], without weights; gradNorm [], before clipping, of what is minimised; counts int32 [], 0 where nothing was
 * changed. For the log: what the task tells of the samples, [B] each, and gradNorms [blocks], in the order of `blocksOf`.
 */
export function trainingStepProgram(training: TrainingStep, sampleShape?: Shape): Program {
  return trace('trainingStep', (graph) => {
    const { ofSamples, ...declared } = lossAndGradients(graph, training, sampleShape);
    return { ...ofSamples, ...update(graph, declared, training) };
  });
}

/**
 * The gradients of M of a step's samples, a part of `divide`, added to those of the parts of its shard before; those of a whole shard
 * to those of its neighbours, over a binary tree.
 *
 * Inputs: those of the step that the loss depends on, firstSample among them that of the part; sampleWeights [M], how much of the
 * step's mean each is: 1 / samples of the global batch, 0 for one that only fills up the part; taken [sums] and made [sums], 1 for each
 * sum that `partsInOrder` says is, else 0; isFirst [], 1 for the first part of the step, else 0; part [parts, 1], 1 for the one that this
 * is, else 0.
 * State: the weights, and the totals that `updateProgram` reads, and sums of fewer samples.
 * Outputs: the losses of the samples, [M].
 */
export function partProgram(
  training: Pick<TrainingStep, keyof TrainingLoss | 'shards'>,
  microBatch: number,
  sampleShape?: Shape,
): Program {
  const { parts, sums } = divide(training, microBatch);
  const program = trace('part', (graph) => {
    const made = lossAndGradients(graph, { ...training, batch: microBatch }, sampleShape, true);
    const [taken, became] = [graph.input('taken', [sums]), graph.input('made', [sums])];
    const isFirst = graph.input('isFirst', []);
    const part = graph.input('part', [parts, 1]);
    const addUp = (name: string, value: Tensor): void => {
      const ofFewest = Array.from({ length: sums }, (_, i) => below(sums - 1 - i, name));
      accumulateTree(
        ofFewest.map((sum) => graph.stateful(sum, value.shape)),
        value,
        taken,
        became,
      );
    };
    addUp(totals.loss, made.loss);
    for (const [name, values] of Object.entries(made.ofSamples)) {
      const placed = mul(part, reshape(values, [1, microBatch]));
      // Steps of other shapes, over the same state, may be of as many parts of another size.
      const kept = `${totals.ofSamples}${parts}x${microBatch}/${name}`;
      accumulate(graph.stateful(kept, [parts, microBatch]), placed, isFirst);
    }
    made.trainable.forEach(({ name }, i) => addUp(gradientTotal(name!), made.gradients[i]!));
    return { losses: made.ofSamples.losses };
  });
  // Each gradient is gone as soon as it is added.
  return changeEarly(program);
}

/**
 * What a rank tells the others of the sums that it has made.
 *
 * State: the totals, of all ranks in the owned ranges of the gradients. Outputs: loss [], the share of the samples here; norms
 * [owned slices, blocks] of the gradients.
 */
export function normsProgram(training: TrainingStep): Program {
  return trace('norms', (graph) => {
    const { parameters } = training.task.module;
    const gradients = parameters.map((param) => total(graph, param));
    return {
      loss: graph.stateful(totals.loss, []),
      norms: sliceNorms(parameters, gradients, ownershipOf(training)),
    };
  });
}

/**
 * What ends a step whose gradients were accumulated: inputs, state and outputs are those of `trainingStepProgram` that are left. Where
 * other ranks own a part of the parameters, the inputs are also what all of them told: loss [], its mean over all samples, and norms
 * [slices, blocks].
 * @param part of the step, which keeps the totals
 */
export function updateProgram(training: TrainingStep, part: Program): Program {
  return trace('update', (graph) => {
    const { task, batch, shards = 1, lossScaling = false } = training;
    const { parameters } = task.module;
    const params = declareParameters(graph, parameters);
    const trainable = parameters.map(({ name }) => params(name));
    const gradients = trainable.map((param) => total(graph, param));
    const own = ownershipOf(training);
    const told = isWhole(own)
      ? { loss: graph.stateful(totals.loss, []) }
      : {
          loss: graph.input('loss', []),
          norms: graph.input('norms', [own.slices, blocksOf(task.module).length]),
        };
    const lossScale = lossScaling ? graph.input('lossScale', []) : undefined;
    const ofSamples = part.state
      .filter(({ name }) => name!.startsWith(totals.ofSamples))
      .map(({ name, shape }): [string, Tensor] => {
        const inShards = reshape(graph.stateful(name!, shape), [shards, sizeOf(shape) / shards]);
        const values = reshape(slice(inShards, 1, 0, batch / shards), [batch]);
        return [name!.slice(name!.lastIndexOf('/') + 1), values];
      });
    return {
      ...Object.fromEntries(ofSamples),
      ...update(graph, { ...told, trainable, gradients, lossScale }, training),
    };
  });
}

function ownershipOf({ own, shards }: TrainingStep): Ownership {
  return own ?? ownsAll(shards);
}

function total(graph: Graph, { name, shape }: Pick<Tensor, 'name' | 'shape'>): Tensor {
  return graph.stateful(gradientTotal(name!), shape);
}

type Gradients = Pick<Loss, 'trainable' | 'loss' | 'lossScale'> & {
  readonly gradients: readonly Tensor[];
  /** [slices, blocks], where they are known already. */
  readonly norms?: Tensor;
};

/** Clips, and appends the update of everything that is owned. @returns the step's outputs */
function update(
  graph: Graph,
  { trainable, loss, gradients, lossScale, norms: known }: Gradients,
  training: TrainingStep,
): Readonly<Record<string, Tensor>> {
  const { optimizers, maxGradNorm, averages = [], runsAhead = false } = training;
  const own = ownershipOf(training);
  const number = graph.input('update', [], 'int32');
  const learningRate = graph.input('learningRate', []);
  const emaWeight = graph.input(averageWeightInput(), []);
  const unscaled = (x: Tensor): Tensor => (lossScale ? mul(x, reciprocal(lossScale)) : x);
  // The whole norm is that of the blocks' norms, so that all gradients are read once.
  const norms = blockNorms(known ?? sliceNorms(trainable, gradients, own));
  const gradNorm = unscaled(globalNorm([norms]));
  const clipped =
    maxGradNorm === undefined ? constant(gradNorm, [], Float64Array.of(1)) : clipScale(gradNorm, maxGradNorm);
  // Second moments are squares, which must be finite too.
  const finite = isFinite([loss, square(mul(gradNorm, clipped))]);
  const counts = runsAhead ? countsAfterLast(graph, finite) : finite;
  const scalars = { gradScale: unscaled(clipped), learningRate, update: number, counts };
  const owned = trainable.flatMap((param, i) => {
    const [part, grad] = [ownedPart(param, own), ownedPart(gradients[i]!, own)];
    return part && grad ? [{ of: { name: param.name!, shape: param.shape }, part, grad }] : [];
  });
  for (const { of, part, grad } of owned) {
    const optimizer = optimizerOf(optimizers, of);
    const slots = optimizer.slots.map(
      (slot) => [slot.name, graph.stateful(slotTensor(optimizer, slot, of.name), part.shape)] as const,
    );
    optimizer.update({ param: part, grad, slots: Object.fromEntries(slots) }, scalars);
    // Right behind it, so that both can be one pass over memory.
    lerpAssign(graph.stateful(averageTensor(undefined, of.name), part.shape), part, emaWeight, counts);
  }
  for (const name of averages) {
    const weight = graph.input(averageWeightInput(name), []);
    for (const { of, part } of owned)
      lerpAssign(graph.stateful(averageTensor(name, of.name), part.shape), part, weight, counts);
  }
  return { loss, gradNorm, counts, gradNorms: unscaled(norms) };
}

/** What the state of a step is, in words, by its names; the weights themselves have the module's own. */
export function stateLabels({
  task,
  optimizers,
}: Pick<TrainingStep, 'task' | 'optimizers'>): ReadonlyMap<string, string> {
  return new Map(
    task.module.parameters.flatMap((spec) => {
      const optimizer = optimizerOf(optimizers, spec);
      return [
        ...optimizer.slots.map(
          (slot) => [slotTensor(optimizer, slot, spec.name), `${slot.label} of ${spec.name}`] as const,
        ),
        [averageTensor(undefined, spec.name), `average of ${spec.name}`] as const,
      ];
    }),
  );
}
