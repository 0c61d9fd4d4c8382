// The schema of stages: parts of a run at sizes of their own.
import { z } from 'zod';
import type { GrowthConfig, StageConfig } from './config.ts';
import type { Given } from './model-schema.ts';
import { above0, list, oneOf, settings, side, whole, wholeOrAuto } from './schema-parts.ts';

export type ParsedStage = Given<StageConfig>;

/** Each is a model and data of its own. */
const mostStages = 64;

const stage = settings({
  imageSize: side.transform((size) => (typeof size === 'number' ? ([size, size] as const) : size)).optional(),
  patchSize: whole(1).optional(),
  steps: whole(1).optional(),
  batchSize: whole(1, 2 ** 20).optional(),
  microBatch: wholeOrAuto.optional(),
  learningRate: above0.optional(),
  warmupSteps: whole(0).optional(),
});

export const stagesSchema: z.ZodType<readonly ParsedStage[], readonly ParsedStage[] | undefined> = list(
  stage,
  mostStages,
  'stages, as in [{ imageSize: 32, steps: 1000 }, { imageSize: 64, steps: 500 }]',
).default([]) as never;

export const growthSchema: z.ZodType<GrowthConfig, Given<GrowthConfig>> = settings({
  kernels: oneOf('pseudo-inverse', 'bilinear').default('pseudo-inverse'),
  moments: oneOf('kept', 'new').default('new'),
});
