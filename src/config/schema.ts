// The schema of a config: names, defaults and what each setting may be.
import { z } from 'zod';
import type { AnySamplerName } from '../flow/samplers.ts';
import { MOST_TIMES, modeScales, uShapes } from '../flow/time-sampling.ts';
import { longestPower } from '../optim/ema.ts';
import { describeIssues } from './config-problems.ts';
import { configError } from '../tensor/config-error.ts';
import { runName } from '../kept/config.ts';
import type { ConfigInput, RunConfig } from './config.ts';
import type { FlowConfig, OptimizerConfig, SampleConfig, TrainConfig } from '../train/settings.ts';
import { type ParsedData, dataSchema } from './data-schema.ts';
import { defaults } from '../train/defaults.ts';
import { type Given, type ParsedModel, modelSchema } from './model-schema.ts';
import { samplersOf } from '../train/objective.ts';
import { sinksSchema } from './sinks-schema.ts';
import { type ParsedStage, growthSchema, stagesSchema } from './stages-schema.ts';
import {
  above0,
  below1,
  flag,
  fraction,
  from0,
  list,
  number,
  oneOf,
  settings,
  text,
  variant,
  whole,
  powerOfTwo,
  wholeOrAuto,
} from './schema-parts.ts';

/** By number, or by name. */
const label = z.union([whole(0), text('a whole number from 0, or the name of a class')]);

/** A config as it is given, with the defaults that do not depend on other settings or on the data. */
export interface Parsed extends Omit<
  RunConfig,
  'data' | 'model' | 'flow' | 'optimizer' | 'train' | 'sample' | 'stages'
> {
  readonly stages: readonly ParsedStage[];
  readonly data: ParsedData;
  readonly model: ParsedModel;
  readonly flow: Omit<FlowConfig, 'labelDropout' | 'coupling'> & Given<FlowConfig>;
  readonly optimizer: Omit<OptimizerConfig, 'warmupSteps'> &
    Given<OptimizerConfig & { warmupEpochs: number }>;
  readonly train: Omit<TrainConfig, 'steps'> & Given<TrainConfig & { epochs: number }>;
  readonly sample: Omit<SampleConfig, 'sampler' | 'clip' | 'guidance' | 'labels' | 'prompts'> &
    Given<Omit<SampleConfig, 'labels'>> & { readonly labels?: readonly (number | string)[] | undefined };
}

const scale = `a number from ${modeScales[0]} to ${modeScales[1].toFixed(3)}`;
const shape = `a number from ${uShapes[0]} to ${uShapes[1]}`;
const placement = { stratified: flag.default(false), shift: above0.default(1) };

const timeSampling = z.discriminatedUnion(
  'kind',
  [
    settings({ kind: z.literal('uniform'), ...placement }),
    settings({
      kind: z.literal('logit-normal'),
      mean: z.number({ error: 'a number' }).default(0),
      std: above0.default(1),
      ...placement,
    }),
    settings({
      kind: z.literal('mode'),
      scale: number(scale, (value) => value >= modeScales[0] && value <= modeScales[1]).default(1.29),
      ...placement,
    }),
    settings({ kind: z.literal('cosmap'), ...placement }),
    settings({
      kind: z.literal('u-shaped'),
      a: number(shape, (value) => value >= uShapes[0] && value <= uShapes[1]).default(4),
      ...placement,
    }),
    settings({ kind: z.literal('steps'), steps: whole(1, MOST_TIMES).default(1), ...placement }),
    settings({ kind: z.literal('custom'), ...placement }),
  ],
  {
    error: variant('kind', 'uniform', 'logit-normal', 'mode', 'cosmap', 'u-shaped', 'steps', 'custom'),
  },
);

const objective = z.discriminatedUnion(
  'kind',
  [
    settings({ kind: z.literal('rectified-flow') }),
    settings({
      kind: z.literal('ddpm'),
      schedule: oneOf('linear', 'cosine').default('linear'),
      timesteps: whole(2, 1_000_000).default(1000),
    }),
    settings({ kind: z.literal('custom') }),
  ],
  { error: variant('kind', 'rectified-flow', 'ddpm', 'custom') },
);

const lossWeighting = z.discriminatedUnion(
  'kind',
  [
    settings({ kind: z.literal('none') }),
    settings({ kind: z.literal('min-snr'), gamma: above0.default(5) }),
    settings({ kind: z.literal('sigmoid'), bias: z.number({ error: 'a number' }).default(2) }),
  ],
  { error: variant('kind', 'none', 'min-snr', 'sigmoid') },
);

/** Each is a copy of the weights. */
const mostAverages = 64;
/** Of a grid: more is no picture that people look at. */
const mostRows = 1024;
const interval = 'two times, 0 <= low <= high <= 1, as in [0.2, 0.8]';

const powerLength = number(
  `a number above 0, at most ${longestPower.toFixed(4)}`,
  (value) => value > 0 && value <= longestPower,
);

const betas = 'two numbers from 0, below 1, as in [0.9, 0.999]';

const sampleShape = {
  sampler: oneOf<AnySamplerName>(...samplersOf('custom')).optional(),
  steps: whole(1).default(defaults.sample.steps),
  timeShift: above0.default(defaults.sample.timeShift),
  rtol: above0.default(defaults.sample.rtol),
  atol: above0.default(defaults.sample.atol),
  diffusion: from0.default(defaults.sample.diffusion),
  eta: fraction.default(defaults.sample.eta),
  clip: from0.optional(),
  guidance: from0.optional(),
  guidanceInterval: z
    .tuple([fraction, fraction], { error: interval })
    .refine(([low, high]) => low <= high, { error: interval })
    .default(defaults.sample.guidanceInterval),
  labels: list(label, mostRows, 'labels, as in [0, 1, 2], or of names').optional(),
  prompts: list(z.string(), mostRows, 'captions, as in ["red heart"]').optional(),
  seed: whole(0).optional(),
  perClass: whole(1, 1024).default(defaults.sample.perClass),
  gridWeights: oneOf('both', 'ema', 'model').default(defaults.sample.gridWeights),
};

/** Of what form the settings of samples are, by name. */
export const sampleForms: Readonly<Record<string, z.ZodType>> = sampleShape;

const schema: z.ZodType<Parsed> = settings({
  name: z
    .string({ error: 'a name for the folder of the run' })
    .regex(runName, {
      error: 'letters, digits, dots, dashes, as in digits-2',
    })
    .default('run'),
  seed: whole(0).default(defaults.seed),
  data: dataSchema,
  loader: settings({
    workers: whole(1, 1024).default(defaults.loader.workers),
    prefetch: whole(1, 1024).default(defaults.loader.prefetch),
    cacheMiB: whole(0).default(defaults.loader.cacheMiB),
    onBadSample: oneOf('fail', 'skip').default(defaults.loader.onBadSample),
  }).prefault({}),
  model: modelSchema.prefault({}),
  flow: settings({
    objective: objective.prefault(defaults.flow.objective),
    timeSampling: timeSampling.prefault(defaults.flow.timeSampling),
    lossWeighting: lossWeighting.prefault(defaults.flow.lossWeighting),
    coupling: oneOf('independent', 'pairs').optional(),
    labelDropout: fraction.optional(),
  }).prefault({}),
  optimizer: settings({
    learningRate: above0.default(defaults.optimizer.learningRate),
    betas: z.tuple([below1, below1], { error: betas }).default(defaults.optimizer.betas),
    epsilon: above0.default(defaults.optimizer.epsilon),
    weightDecay: from0.default(defaults.optimizer.weightDecay),
    decayed: oneOf('all', 'matrices').default(defaults.optimizer.decayed),
    warmupSteps: whole(0).optional(),
    warmupEpochs: from0.optional(),
    decay: oneOf('cosine', 'linear', 'constant').default(defaults.optimizer.decay),
    floor: fraction.default(defaults.optimizer.floor),
    clipNorm: from0.default(defaults.optimizer.clipNorm),
  }).prefault({}),
  ema: settings({
    decay: below1.default(defaults.ema.decay),
    ramp: flag.default(defaults.ema.ramp),
    decays: list(below1, mostAverages, 'decays, as in [0.999]').default(defaults.ema.decays),
    power: list(powerLength, mostAverages, 'lengths, as in [0.05, 0.1]').default(defaults.ema.power),
    snapshotEvery: whole(0).default(defaults.ema.snapshotEvery),
  }).prefault({}),
  train: settings({
    steps: whole(1).optional(),
    epochs: above0.optional(),
    batchSize: whole(1, 2 ** 20).default(defaults.train.batchSize),
    batchBy: oneOf('samples', 'tokens').optional(),
    shards: powerOfTwo(1024).optional(),
    wire: oneOf('fp32', 'bf16').optional(),
    microBatch: wholeOrAuto.optional(),
    memoryMiB: wholeOrAuto.default(defaults.train.memoryMiB),
    badSteps: settings({
      rollBackAfter: whole(1).default(defaults.train.badSteps.rollBackAfter),
      window: whole(1, 1_000_000).default(defaults.train.badSteps.window),
      stopAfter: whole(0).default(defaults.train.badSteps.stopAfter),
    }).prefault({}),
    lossScaling: settings({
      initial: above0.default(defaults.train.lossScaling.initial),
      growth: number('a number from 1', (value) => value >= 1).default(defaults.train.lossScaling.growth),
      backOff: number('a number above 0, below 1', (value) => value > 0 && value < 1).default(
        defaults.train.lossScaling.backOff,
      ),
      growthInterval: whole(1).default(defaults.train.lossScaling.growthInterval),
    }).prefault({}),
    logEvery: whole(1).default(defaults.train.logEvery),
    sampleEvery: whole(0).default(defaults.train.sampleEvery),
    checkpointEvery: whole(0).default(defaults.train.checkpointEvery),
    keepCheckpoints: whole(1).default(defaults.train.keepCheckpoints),
    keepEvery: whole(0).default(defaults.train.keepEvery),
    precision: oneOf('auto', 'fp32', 'bf16', 'fp16').default(defaults.train.precision),
    memory: oneOf('keep', 'recompute').default(defaults.train.memory),
  }).prefault({}),
  heldOut: settings({
    count: whole(0).default(defaults.heldOut.count),
    every: whole(1).default(defaults.heldOut.every),
  }).prefault({}),
  sample: settings(sampleShape).prefault({}),
  stages: stagesSchema,
  growth: growthSchema.prefault({}),
  sinks: sinksSchema.prefault({}),
  backend: settings({
    name: oneOf('auto', 'cpu', 'webgpu', 'reference').default('auto'),
    threads: wholeOrAuto.default('auto'),
    isa: oneOf('auto', 'avx512-bf16', 'avx512', 'avx2', 'portable').default('auto'),
    tuning: oneOf('auto', 'off').default('auto'),
    subgroupMatrices: flag.default(false),
  }).prefault({}),
});

/** @throws RectiflowError that lists every setting that there is not or that is of a kind that it cannot be */
export function parseSettings(input: ConfigInput, origin: string): Parsed {
  const parsed = schema.safeParse(input);
  if (!parsed.success) throw configError(origin, describeIssues(parsed.error.issues, input));
  return parsed.data;
}
