// Stages of a run: what follows of the settings of each, what they ask of each other, and the config that each is trained with.
import { outputShape } from '../sources/images/transforms.ts';
import type { DataConfig, Side, Transform } from '../sources/settings.ts';
import type { SourceFacts } from '../data/source.ts';
import { attempt, describeProblem } from '../tensor/config-error.ts';
import { checkTogether } from '../train/check-config.ts';
import { defaultWarmup } from '../train/defaults.ts';
import type { ModelConfig } from '../train/settings.ts';
import type { RunConfig, StageConfig } from './config.ts';
import type { Parsed } from './schema.ts';
import type { ParsedStage } from './stages-schema.ts';

type Size = readonly [height: number, width: number];

/** A model whose images are of a size, cut into patches. */
type PatchModel = Extract<ModelConfig, { readonly imageSize: Size; readonly patchSize: number }>;

export function hasPatches(model: ModelConfig): model is PatchModel {
  return 'imageSize' in model && 'patchSize' in model;
}

/**
 * The steps of a run are those of its stages together.
 * @returns the settings with both; where there are no stages, as they are
 */
export function completeStageSteps(parsed: Parsed, problems: string[]): Parsed {
  const { stages, train } = parsed;
  if (stages.length === 0) return parsed;
  if (train.epochs !== undefined)
    problems.push(
      'train.epochs: a run of stages is as long as these are. Give stages[].steps, and leave it out',
    );
  const before = stages.slice(0, -1).map(({ steps }) => steps);
  const rest = train.steps === undefined ? undefined : train.steps - sum(before);
  const all = [...before, stages.at(-1)!.steps ?? rest];
  all.forEach((steps, i) => {
    if (steps === undefined)
      problems.push(describeProblem(['stages', i, 'steps'], 'a whole number from 1', steps));
    else if (steps < 1)
      problems.push(
        describeProblem(
          ['train', 'steps'],
          `more than the ${sum(before)} of the stages before the last`,
          train.steps,
        ),
      );
  });
  const total = sum(all);
  if (train.steps !== undefined && train.steps !== total && problems.length === 0)
    problems.push(
      describeProblem(['train', 'steps'], `${total}, the steps of all stages, or nothing`, train.steps),
    );
  return {
    ...parsed,
    stages: stages.map((stage, i) => ({ ...stage, steps: all[i] ?? 1 })),
    train: { ...train, epochs: undefined, steps: Math.max(1, total) },
  };
}

function sum(steps: readonly (number | undefined)[]): number {
  return steps.reduce<number>((total, each) => total + (each ?? 0), 0);
}

/**
 * Fills in what stages take from the rest of the config, and checks each of them as a config of its own.
 * @param config resolved, but for its stages
 */
export function completeStages(
  given: readonly ParsedStage[],
  config: RunConfig,
  facts: SourceFacts | undefined,
  problems: string[],
): RunConfig {
  if (given.length === 0) return config;
  const { model, data, train, optimizer } = config;
  if (!hasPatches(model)) {
    const wanted = `left out: a model of the kind ${model.kind} has no patches that could be resized`;
    problems.push(describeProblem(['stages'], wanted, `${given.length} stages`));
    return config;
  }
  const stages = given.map((stage, i): StageConfig => {
    const { microBatch = train.microBatch, steps = 1 } = stage;
    return {
      imageSize: stage.imageSize ?? model.imageSize,
      patchSize: stage.patchSize ?? model.patchSize,
      steps,
      batchSize: stage.batchSize ?? train.batchSize,
      ...(microBatch !== undefined && { microBatch }),
      learningRate: stage.learningRate ?? optimizer.learningRate,
      warmupSteps:
        stage.warmupSteps ?? (i === 0 ? Math.min(optimizer.warmupSteps, steps) : defaultWarmup(steps)),
    };
  });
  const staged = { ...config, stages };
  const found = problems.length;
  stages.forEach((stage, i) => checkStage(stage, i, stages[i - 1], problems));
  if ('transforms' in data && ('sizes' in data || 'buckets' in data))
    problems.push('stages: data.sizes and data.buckets say how large images are as well. Give one of them');
  if (problems.length > found) return staged;
  stages.forEach((stage, i) => {
    const own: string[] = [];
    if (dataAt(data, model.imageSize, stage.imageSize) === undefined) {
      const wanted = `${sized(model.imageSize)}, the size of the data: ${data.source} cannot be read at another`;
      own.push(describeProblem(['imageSize'], wanted, sized(stage.imageSize)));
    } else {
      const shape = [model.channels, ...stage.imageSize];
      attempt(own, () => checkTogether(configOfStage(staged, i), facts && { ...facts, shape }, own));
    }
    problems.push(...own.map((problem) => `stages.${i}.${problem}`));
  });
  return staged;
}

function checkStage(
  { imageSize, patchSize, steps, warmupSteps }: StageConfig,
  i: number,
  before: StageConfig | undefined,
  problems: string[],
): void {
  if (imageSize.some((side) => side % patchSize !== 0)) {
    const wanted = `a multiple of patchSize ${patchSize} on both sides, the nearest being ${nearestSizes(imageSize, patchSize)}`;
    problems.push(describeProblem(['stages', i, 'imageSize'], wanted, sized(imageSize)));
  }
  if (before && imageSize.some((side, axis) => side < before.imageSize[axis]!)) {
    const wanted = `no smaller than the ${sized(before.imageSize)} of the stage before: a run grows`;
    problems.push(describeProblem(['stages', i, 'imageSize'], wanted, sized(imageSize)));
  }
  if (warmupSteps > steps)
    problems.push(
      describeProblem(['stages', i, 'warmupSteps'], `at most the ${steps} steps of the stage`, warmupSteps),
    );
}

/** The nearest sizes that a patch divides, in words. */
export function nearestSizes(imageSize: Size, patchSize: number): string {
  const [less, more] = [Math.floor, Math.ceil].map((round) =>
    imageSize.map((side) => Math.max(1, round(side / patchSize)) * patchSize).join('x'),
  );
  return less === more ? less! : `${less} or ${more}`;
}

function sized(size: Size): string {
  return size.join('x');
}

/** The config that a stage is trained with; that of the run where it has no stages. */
export function configOfStage(config: RunConfig, index: number): RunConfig {
  const stage = config.stages[index];
  const { model, data, train, optimizer, stages } = config;
  if (stage === undefined || !hasPatches(model)) return config;
  const { imageSize, patchSize, batchSize, microBatch, learningRate } = stage;
  return {
    ...config,
    data: dataAt(data, model.imageSize, imageSize) ?? data,
    model: { ...model, imageSize, patchSize },
    train: { ...train, batchSize, ...(microBatch !== undefined && { microBatch }) },
    // The schedule of the run goes on; what a later stage warms up is told by its span.
    optimizer: { ...optimizer, learningRate, warmupSteps: stages[0]!.warmupSteps },
  };
}

/**
 * The settings of data whose images are to be of another size: the sizes of all transforms, in proportion.
 * @returns undefined where data cannot be read at that size
 */
export function dataAt(data: DataConfig, from: Size, to: Size): DataConfig | undefined {
  const [down, across] = [to[0] / from[0], to[1] / from[1]];
  if (down === 1 && across === 1) return data;
  if (!('transforms' in data)) return undefined;
  const transforms = data.transforms.map((transform) => scaledTransform(transform, down, across));
  try {
    const [, height, width] = outputShape({ ...data, transforms });
    return height === to[0] && width === to[1] ? { ...data, transforms } : undefined;
  } catch {
    return undefined;
  }
}

function scaledTransform(transform: Transform, down: number, across: number): Transform {
  if (!('size' in transform)) return transform;
  const { size } = transform;
  // The length of the shorter side, of which nobody knows which it is.
  if (typeof size === 'number' && transform.kind === 'resize')
    return { ...transform, size: Math.round(size * Math.max(down, across)) };
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  const scaled: Side = [Math.round(height * down), Math.round(width * across)];
  return { ...transform, size: scaled[0] === scaled[1] ? scaled[0] : scaled };
}
