// The shapes of samples that a run learns from, and how many of each make a step.
import { type SampleSizes, shapesOf } from '../data/sample-sizes.ts';
import type { SourceFacts } from '../data/source.ts';
import type { SampleModel } from '../models/model.ts';
import { type Shape, sameShape, sizeOf } from '../tensor/shape.ts';
import type { OwnFlow } from './objective.ts';
import { type StepConfig, stepOf } from './run-program.ts';
import type { TrainConfig } from './settings.ts';
import { type Share, wholeShare } from './ranks/share.ts';
import { type StepOfShape, StepPrograms } from './step-programs.ts';

export interface StepShape {
  readonly sampleShape: Shape;
  /** Samples of this shape that a step learns from. */
  readonly batchSize: number;
}

/**
 * How many samples of a shape a step learns from: as many of every shape, or as many as have about the tokens of a batch of the
 * model's own shape, and as many of them for each shard.
 * @param base the model's own shape, of which a step learns from `train.batchSize` samples
 */
export function batchSizeOf(
  shape: Shape,
  base: Shape,
  { batchSize, batchBy = 'samples', shards = 1 }: Pick<TrainConfig, 'batchSize' | 'batchBy' | 'shards'>,
): number {
  if (batchBy === 'samples') return batchSize;
  const ofShard = (batchSize * sizeOf(base)) / (shards * sizeOf(shape));
  return shards * Math.max(1, Math.round(ofShard));
}

/** Of a set's samples, the model's own shape first. */
export function stepShapes(
  { sampleShape: base }: Pick<SampleModel, 'sampleShape'>,
  sizes: SampleSizes | undefined,
  train: Pick<TrainConfig, 'batchSize' | 'batchBy' | 'shards'>,
): StepShape[] {
  const others = shapesOf({ shape: base, ...(sizes && { sizes }) }).filter(
    (shape) => !sameShape(shape, base),
  );
  return [base, ...others].map((sampleShape) => ({
    sampleShape,
    batchSize: batchSizeOf(sampleShape, base, train),
  }));
}

/**
 * Steps in which every sample is seen so many times, on average where the size of a step is drawn. Of buckets, each of which ends an
 * epoch with a whole batch, one epoch is a whole number of them where no samples are held out.
 * @param heldOut samples that are not trained on, of any bucket
 */
export function stepsOfEpochs(
  epochs: number,
  { count, shape: base, sizes }: Pick<SourceFacts, 'count' | 'shape' | 'sizes'>,
  heldOut: number,
  train: Pick<TrainConfig, 'batchSize' | 'batchBy' | 'shards'>,
): number {
  const shapes = shapesOf({ shape: base, ...(sizes && { sizes }) });
  const batches = shapes.map((shape) => batchSizeOf(shape, base, train));
  if (sizes?.of === undefined) return Math.ceil((epochs * (count - heldOut) * batches.length) / sum(batches));
  return Math.ceil((epochs * sum(bucketSteps(count, sizes, batches)) * (count - heldOut)) / count);
}

/** Of an epoch, in the order of the shapes. @param batches samples of a batch of each */
function bucketSteps(count: number, sizes: SampleSizes, batches: readonly number[]): number[] {
  return samplesByShape(count, sizes).map((samples, i) => Math.ceil(samples / batches[i]!));
}

/** The share of a run's steps that have samples of each shape, in the order of the source's shapes: what to expect, where it is drawn. */
export function sharesOfSteps(
  { count, shape: base, sizes }: Pick<SourceFacts, 'count' | 'shape' | 'sizes'>,
  train: Pick<TrainConfig, 'batchSize' | 'batchBy' | 'shards'>,
): { readonly sampleShape: Shape; readonly share: number }[] {
  const shapes = shapesOf({ shape: base, ...(sizes && { sizes }) });
  const batches = shapes.map((shape) => batchSizeOf(shape, base, train));
  const steps = sizes?.of ? bucketSteps(count, sizes, batches) : shapes.map(() => 1);
  return shapes.map((sampleShape, i) => ({ sampleShape, share: steps[i]! / sum(steps) }));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}

/** Of a set whose samples each have a shape of their own. */
export function samplesByShape(count: number, { shapes, of }: SampleSizes): number[] {
  const counts = shapes.map(() => 0);
  for (let index = 0; index < count; index++) counts[of!(index)]!++;
  return counts;
}

export interface StepProgramsOf extends OwnFlow {
  readonly runsAhead?: boolean | undefined;
  /** Of the steps; all of them by default. */
  readonly share?: Share | undefined;
}

/**
 * The programs of the steps that a config describes, for each shape that samples are read at.
 * @throws RectiflowError where what the config calls custom is missing
 */
export function stepPrograms(
  config: StepConfig,
  model: SampleModel,
  sizes: SampleSizes | undefined,
  { runsAhead, share = wholeShare(config.train), ...own }: StepProgramsOf = {},
): StepPrograms {
  const { ranks, shards, own: owned } = share;
  const [base, ...others] = stepShapes(model, sizes, { ...config.train, shards }).map(
    ({ sampleShape, batchSize }): StepOfShape => {
      const step = stepOf({ ...config, train: { ...config.train, batchSize } }, model, own);
      const ofRank = { batch: batchSize / ranks, shards: shards / ranks, globalBatch: batchSize, own: owned };
      return { sampleShape, training: { ...step, ...ofRank, runsAhead } };
    },
  );
  return new StepPrograms(base!.training, { others });
}
