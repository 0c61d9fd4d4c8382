import { type Annotation, type ImageShape, imageSize } from '../data/source.ts';
import { type FlowSampler, batchesOf, mostAtOnce } from '../flow/sample.ts';
import type { SampleOptions } from '../flow/sample-request.ts';
import type { Communicator } from './ranks/communicator.ts';
import type { Conditioning } from './conditioning.ts';
import { SamplePath } from './sample-path.ts';
import type { SampleConfig, TrainingConfig } from './settings.ts';
import { shareOut } from './ranks/share-out.ts';
import type { WeightSet, WeightSets } from './ranks/weight-sets.ts';

/** What the rows of a run's grids show: classes, captions, or nothing in particular. */
export function gridRows({ labels, prompts }: Pick<SampleConfig, 'labels' | 'prompts'>): Annotation[] {
  return prompts.length > 0 ? prompts.map((caption) => ({ caption })) : labels.map((label) => ({ label }));
}

/** What people call those of a row: its class, or its caption. */
export function rowTitle({ label, caption }: Annotation, classNames: readonly string[] | undefined): string {
  return caption ?? classNames?.[label!] ?? `class ${label}`;
}

/** How many samples a grid shows: a row for each label or prompt, or a square. */
export function gridCount(sample: SampleConfig): number {
  return sample.perClass * (gridRows(sample).length || sample.perClass);
}

/** The most samples of a grid that are made at once: of a run that ranks may share, no more than each has a share of. */
export function gridBatch({ sample, train }: Pick<TrainingConfig, 'sample' | 'train'>): number {
  return Math.min(mostAtOnce, Math.ceil(gridCount(sample) / (train.shards ?? 1)));
}

/**
 * Bytes of the numbers that a grid is made of, outside programs, of so many a sample.
 * @param evaluationsPerStep of the sampler
 * @param picture numbers of a picture that a sample becomes; 0 where it is one
 */
export function gridBytes(
  config: Pick<TrainingConfig, 'sample' | 'train'>,
  elements: number,
  evaluationsPerStep: number,
  picture = 0,
): number {
  const { sample } = config;
  const count = gridCount(sample);
  // The set before may be there still.
  const sets = 2 * count;
  // Where samples are, their velocities, where steps look on the way and where they go; and what was read of them.
  const batch = (4 + 2 * evaluationsPerStep) * batchesOf(count, gridBatch(config)).size;
  const paths = 2 * SamplePath.columns * shownPaths(sample).length;
  return 4 * (elements * (sets + batch + paths) + picture * (sets + paths));
}

export interface GridSamplers {
  /** The most samples that each of them makes at once. */
  readonly batchSize: number;
  /** By the weights that it makes samples with: a set, or `ema:0.999`, an average beside the main one. */
  sampler(weights: string): FlowSampler;
  readonly sets: WeightSets;
  /** Where other ranks make some of the samples. */
  readonly communicator: Communicator | undefined;
}

/** What a model is told of samples, and how people call it. */
export interface ToldSamples {
  readonly conditioning: Conditioning;
  readonly classNames: readonly string[] | undefined;
}

/** Samples of a run as they are shown. */
export interface SampleGrid {
  readonly shape: ImageShape;
  /** Samples in a row. */
  readonly columns: number;
  /** What people call the samples of each row; empty where the model is told nothing. */
  readonly rows: readonly string[];
  /** By the weights that made them, from the same noise: [N, C, H, W] each. */
  readonly sets: readonly { readonly weights: WeightSet; readonly samples: Float32Array }[];
  /** How the first sample of each row comes out of the noise: a row of pictures each, whose columns are times. None where nothing does. */
  readonly path: { readonly columns: readonly string[]; readonly samples: Float32Array };
  /** Of a run on data at several sizes: some samples of each, [N, C, H, W], as many as a row has. */
  readonly sizes?: readonly SamplesOfSize[];
}

export interface SamplesOfSize {
  readonly shape: ImageShape;
  readonly samples: Float32Array;
}

/** Rows of the pictures of paths from noise to data, where the model is told nothing. */
const untoldPaths = 4;

/** The samples whose paths are shown: the first of each row. */
function shownPaths(sample: SampleConfig): number[] {
  const { perClass } = sample;
  const length = gridRows(sample).length || Math.min(untoldPaths, perClass);
  return Array.from({ length }, (_, i) => i * perClass);
}

/**
 * Makes a grid of samples: a row for each label or prompt of the config, or a square of samples of a model without; of the
 * averaged weights and those of the step side by side, from the same noise, where the config asks for both. And, from the same
 * evaluations, how the first sample of each row comes out of the noise. Noise is a function of the seed alone, so that the grids
 * of a run show the same samples becoming clearer.
 */
export async function sampleGrid(
  samplers: GridSamplers,
  shape: ImageShape,
  { sample, seed: ofRun }: Pick<TrainingConfig, 'sample' | 'seed'>,
  { conditioning, classNames }: ToldSamples,
  signal?: AbortSignal,
): Promise<SampleGrid> {
  const { perClass, labels: _, prompts: __, gridWeights, seed = ofRun, ...settings } = sample;
  const rows = gridRows(sample);
  const repeated = rows.flatMap((row) => Array.from({ length: perClass }, () => row));
  const told = rows.length > 0 ? { conditions: conditioning.encode(repeated, shape) } : { guidance: 1 };
  const path = new SamplePath(shownPaths(sample), imageSize(shape));
  const sets: SampleGrid['sets'][number][] = [];
  for (const weights of gridWeights === 'both' ? (['ema', 'model'] as const) : [gridWeights]) {
    const wanted = { count: gridCount(sample), ...settings, ...told, seed, ...(signal && { signal }) };
    const shown = sets.length === 0 ? path : undefined;
    sets.push({ weights, samples: await makeSamples(samplers, weights, shape, wanted, shown) });
  }
  return {
    shape,
    columns: perClass,
    rows: rows.map((row) => rowTitle(row, classNames)),
    sets,
    path: { columns: SamplePath.labels, samples: path.rows },
  };
}

/** Ranks share out the batches. @param path of what is made, where it is shown @returns [count, ...shape] */
async function makeSamples(
  { batchSize, sampler, sets, communicator }: GridSamplers,
  weights: WeightSet,
  shape: ImageShape,
  wanted: SampleOptions,
  path: SamplePath | undefined,
): Promise<Float32Array> {
  const { count } = wanted;
  const { batches, size } = batchesOf(count, batchSize);
  const values = new Float32Array(count * imageSize(shape));
  const startOf = (batch: number): number => Math.min(batch * size, count) * imageSize(shape);
  const rows = path && { values: path.rows, startOf: (batch: number) => path.startOf(batch * size) };
  const options = { ...wanted, ...(path && { onVisit: path.visit.bind(path) }) };
  const make = async (batch: number): Promise<void> => {
    const samples = await sampler(weights).sampleBatch(options, batch);
    values.set(samples, startOf(batch));
    path?.arrive(samples, batch * size);
  };
  const results = [{ values, startOf }, ...(rows ? [rows] : [])];
  await sets.with(weights, () => shareOut(communicator, batches, results, make));
  return values;
}

/**
 * Makes a row of samples of each shape, from the noise of the grid's first ones: of one row of the grid after the other, with the
 * averaged weights where the grid shows them.
 */
export async function sampleSizes(
  samplers: GridSamplers,
  shapes: readonly ImageShape[],
  { sample, seed: ofRun }: Pick<TrainingConfig, 'sample' | 'seed'>,
  { conditioning }: ToldSamples,
  signal?: AbortSignal,
): Promise<SamplesOfSize[]> {
  const { perClass, labels: _, prompts: __, gridWeights, seed = ofRun, ...settings } = sample;
  const rows = gridRows(sample);
  const told = Array.from({ length: perClass }, (___, i) => rows[i % rows.length]!);
  const weights = gridWeights === 'model' ? 'model' : 'ema';
  const starts = [0];
  for (const shape of shapes) starts.push(starts.at(-1)! + perClass * imageSize(shape));
  const values = new Float32Array(starts.at(-1)!);
  const make = async (i: number): Promise<void> => {
    const shape = shapes[i]!;
    const samples = await samplers.sampler(weights).sample({
      count: perClass,
      shape,
      ...settings,
      ...(rows.length > 0 ? { conditions: conditioning.encode(told, shape) } : { guidance: 1 }),
      seed,
      ...(signal && { signal }),
    });
    values.set(samples, starts[i]!);
  };
  const results = [{ values, startOf: (i: number) => starts[i]! }];
  await samplers.sets.with(weights, () => shareOut(samplers.communicator, shapes.length, results, make));
  return shapes.map((shape, i) => ({ shape, samples: values.subarray(starts[i], starts[i + 1]) }));
}
