// Floating-point operations of a run, a multiplication and an addition counted as two; products alone are counted.
import type { RunConfig } from '../../config/config.ts';
import { samplerOf } from '../../flow/objective.ts';
import type { SourceFacts } from '../../data/source.ts';
import { type SampleModel, costOf, isVelocity } from '../../models/model.ts';
import { type OwnFlow, objectiveOf } from '../../train/objective.ts';
import { gridCount, gridRows } from '../../train/sample-grid.ts';
import { batchSizeOf, sharesOfSteps } from '../../train/step-shapes.ts';
import type { Shape } from '../../tensor/shape.ts';
import type { Workload } from './workload.ts';

export interface FlopsPlan {
  /** One evaluation of the model for one sample. */
  readonly forward: number;
  /** Of one sample in a step, what is computed again in the backward pass included. */
  readonly training: number;
  /** Of an optimizer step; the mean, where steps have samples of several shapes. */
  readonly step: number;
  /** Of the samples of one grid. */
  readonly grid: number;
  /** Of the whole run. */
  readonly total: number;
}

/** Evaluations that an integrator with steps of its own choice is taken to need. */
const adaptiveEvaluations = 100;

export interface FlopsOptions {
  readonly config: RunConfig;
  readonly model: SampleModel;
  readonly source: Pick<SourceFacts, 'count' | 'sizes'>;
  readonly work: Workload;
  readonly own: OwnFlow;
}

export function flopsOf({ config, model, source, work, own }: FlopsOptions): FlopsPlan {
  const { train } = config;
  const { forward } = costOf(model);
  // Blocks are evaluated once more; what is around them is next to nothing.
  const trainingOf = (shape: Shape): number => {
    const cost = costOf(model, shape);
    return cost.training + (train.memory === 'recompute' ? cost.forward : 0);
  };
  const base = model.sampleShape;
  const training = trainingOf(base);
  const step = sharesOfSteps({ ...source, shape: base }, train).reduce(
    (sum, { sampleShape, share }) =>
      sum + share * trainingOf(sampleShape) * batchSizeOf(sampleShape, base, train),
    0,
  );
  const isMade = work.grids > 0 && isVelocity(model);
  const grid = isMade ? forward * gridEvaluations(config, own) : forward * work.grids;
  return { forward, training, step, grid, total: step * work.steps + grid * work.grids };
}

/** Evaluations of the model for the samples of one grid, those with nothing told included. */
function gridEvaluations(config: RunConfig, own: OwnFlow): number {
  const { sample } = config;
  const perStep = samplerOf(objectiveOf(config, own), sample.sampler).evaluationsPerStep;
  const evaluations = perStep === undefined ? adaptiveEvaluations : perStep * sample.steps;
  const [low, high] = sample.guidanceInterval;
  const isGuided = sample.guidance !== 1 && gridRows(sample).length > 0;
  const each = isGuided ? 1 + (high - low) : 1;
  return gridCount(sample) * evaluations * each * (sample.gridWeights === 'both' ? 2 : 1);
}
