// The schema of a config: names, defaults and what each setting may be. A message says what was wanted.
import { z } from 'zod';
import { DIGIT_CLASSES, digitsShape } from '../data/digits.ts';
import { checkSource } from '../data/source.ts';
import { samplers } from '../flow/samplers.ts';
import type { SamplerName } from '../flow/samplers.ts';
import { resolveDiTConfig } from '../models/dit-config.ts';
import { parsePreset } from '../models/presets.ts';
import { checkSchedule } from '../optim/schedule.ts';
import { RectiflowError } from '../tensor/errors.ts';
import { configError, describeIssues, describeProblem } from './config-problems.ts';
import type { ConfigInput, ModelConfig, RunConfig } from './config.ts';

const settings = <Shape extends z.core.$ZodLooseShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> =>
  z.strictObject(shape, { error: Object.keys(shape).join(', ') });

function number(wanted: string, test: (value: number) => boolean): z.ZodNumber {
  return z.number({ error: wanted }).refine(test, { error: wanted });
}

const whole = (from: number): z.ZodNumber =>
  number(`a whole number from ${from}`, (value) => Number.isSafeInteger(value) && value >= from);
const above0 = number('a number above 0', (value) => value > 0);
const from0 = number('a number from 0', (value) => value >= 0);
const fraction = number('a number from 0 to 1', (value) => value >= 0 && value <= 1);
const below1 = number('a number from 0, below 1', (value) => value >= 0 && value < 1);
const flag = z.boolean({ error: 'true or false' });

function oneOf<const Name extends string>(...names: Name[]): z.ZodEnum<z.core.util.ToEnum<Name>> {
  return z.enum(names, { error: `one of ${names.join(', ')}` });
}

/** The message of settings of several forms, which one of them names. */
function variant(name: string, ...names: string[]): (issue: { code?: string }) => string {
  return ({ code }) => (code === 'invalid_union' ? `one of ${names.join(', ')}` : name);
}

const digits = settings({
  source: z.literal('digits'),
  split: oneOf('train', 'test').default('train'),
  pad: whole(0).default(0),
  folder: z.string({ error: 'a folder' }).min(1, { error: 'a folder' }).exactOptional(),
});

const custom = settings({ source: z.literal('custom') });

const data = z.discriminatedUnion('source', [digits, custom], {
  error: variant('source', 'digits', 'custom'),
});

const sideLengths = 'a whole number from 1, or two: [height, width]';

const modelSettings = settings({
  preset: z.string({ error: 'a size and a patch size, as in DiT-S/8' }).optional(),
  width: whole(1).optional(),
  depth: whole(1).optional(),
  heads: whole(1).optional(),
  patchSize: whole(1).optional(),
  channels: whole(1).optional(),
  imageSize: z
    .union([whole(1), z.tuple([whole(1), whole(1)])], { error: sideLengths })
    .transform((size): readonly [number, number] => (typeof size === 'number' ? [size, size] : size))
    .optional(),
  classes: whole(0).optional(),
  timeScale: above0.default(1000),
});

const timeSampling = z.discriminatedUnion(
  'kind',
  [
    settings({ kind: z.literal('uniform') }),
    settings({
      kind: z.literal('logit-normal'),
      mean: z.number({ error: 'a number' }).default(0),
      std: above0.default(1),
    }),
  ],
  { error: variant('kind', 'uniform', 'logit-normal') },
);

const betas = 'two numbers from 0, below 1, as in [0.9, 0.999]';

const schema = settings({
  name: z
    .string({ error: 'a name for the folder of the run' })
    .regex(/^[\p{L}\p{N}][\p{L}\p{N}._ -]*$/u, { error: 'letters, digits, dots, dashes, as in digits-2' })
    .default('run'),
  seed: whole(0).default(0),
  data,
  model: modelSettings.prefault({}),
  flow: settings({
    timeSampling: timeSampling.default({ kind: 'uniform' }),
    labelDropout: fraction.optional(),
  }).prefault({}),
  optimizer: settings({
    learningRate: above0.default(1e-4),
    betas: z.tuple([below1, below1], { error: betas }).default([0.9, 0.999]),
    epsilon: above0.default(1e-8),
    weightDecay: from0.default(0),
    warmupSteps: whole(0).optional(),
    decay: oneOf('cosine', 'constant').default('cosine'),
    floor: fraction.default(0),
    clipNorm: from0.default(1),
  }).prefault({}),
  ema: settings({ decay: below1.default(0.9999), ramp: flag.default(true) }).prefault({}),
  train: settings({
    steps: whole(1).default(10_000),
    batchSize: whole(1).default(64),
    logEvery: whole(1).default(10),
    sampleEvery: whole(0).default(1000),
    checkpointEvery: whole(0).default(1000),
    keepCheckpoints: whole(1).default(3),
    precision: oneOf('auto', 'fp32', 'bf16').default('auto'),
  }).prefault({}),
  sample: settings({
    sampler: oneOf(...(Object.keys(samplers) as SamplerName[])).default('euler'),
    steps: whole(1).default(50),
    guidance: from0.optional(),
    labels: z.array(whole(0), { error: 'a list of labels, as in [0, 1, 2]' }).optional(),
    perClass: whole(1).default(8),
  }).prefault({}),
  backend: settings({
    name: oneOf('auto', 'cpu', 'reference').default('auto'),
    threads: z
      .custom<number | 'auto'>((value) => value === 'auto' || whole(1).safeParse(value).success, {
        error: 'a whole number from 1, or auto',
      })
      .default('auto'),
    isa: oneOf('auto', 'avx512-bf16', 'avx512', 'avx2', 'portable').default('auto'),
  }).prefault({}),
});

type Parsed = z.output<typeof schema>;
const sizeNames = ['width', 'depth', 'heads', 'patchSize'] as const;

/**
 * Fills in defaults and what follows from other settings, and checks everything. Resolving what is resolved changes nothing.
 * @param origin how the error calls the config: a file, a recipe
 * @throws RectiflowError that lists every setting that is wrong, with what was wanted and what was found
 */
export function resolveConfig(input: ConfigInput, origin = 'config'): RunConfig {
  const parsed = schema.safeParse(input);
  if (!parsed.success) throw configError(origin, describeIssues(parsed.error.issues, input));
  const problems: string[] = [];
  const config = fillIn(parsed.data, problems);
  if (problems.length === 0) checkTogether(config, problems);
  if (problems.length > 0) throw configError(origin, problems);
  return config;
}

function fillIn(parsed: Parsed, problems: string[]): RunConfig {
  const model = completeModel(parsed, problems);
  const { classes } = model;
  const { optimizer, flow, sample, train } = parsed;
  const labelDropout = classes === 0 ? 0 : (flow.labelDropout ?? 0.1);
  return {
    ...parsed,
    model,
    flow: { ...flow, labelDropout },
    optimizer: {
      ...optimizer,
      warmupSteps: optimizer.warmupSteps ?? Math.min(100, Math.floor(train.steps / 10)),
    },
    sample: {
      ...sample,
      guidance: classes === 0 ? 1 : (sample.guidance ?? (labelDropout > 0 ? 2 : 1)),
      labels: sample.labels ?? Array.from({ length: Math.min(10, classes) }, (_, label) => label),
    },
  };
}

/** Sizes by name, and what the data decides. */
function completeModel(parsed: Parsed, problems: string[]): ModelConfig {
  const { preset, ...given } = parsed.model;
  const explicit = sizeNames.filter((name) => given[name] !== undefined);
  let sizes: Partial<ModelConfig> = {};
  if (preset !== undefined && explicit.length > 0) {
    problems.push(
      `model: preset ${preset} already says ${explicit.join(', ')}. Give the preset or all four sizes`,
    );
  } else if (preset !== undefined) {
    attempt(problems, () => (sizes = parsePreset(preset)));
  }
  const known = Object.entries(given).filter(([, value]) => value !== undefined);
  const complete: Partial<ModelConfig> = { ...fromData(parsed.data), ...sizes, ...Object.fromEntries(known) };
  if (problems.length === 0) {
    for (const name of sizeNames.filter((size) => complete[size] === undefined)) {
      problems.push(describeProblem(['model', name], 'a whole number from 1, or model.preset', undefined));
    }
    for (const name of ['channels', 'imageSize', 'classes'] as const) {
      if (complete[name] !== undefined) continue;
      problems.push(
        describeProblem(['model', name], 'a value, as this data source does not tell it', undefined),
      );
    }
  }
  return complete as ModelConfig;
}

function fromData(config: Parsed['data']): Partial<ModelConfig> {
  if (config.source === 'custom') return {};
  const [channels, height, width] = digitsShape(config.pad);
  return { channels, imageSize: [height, width], classes: DIGIT_CLASSES };
}

/** What settings ask of each other. */
function checkTogether(config: RunConfig, problems: string[]): void {
  const { model, optimizer, train, flow, sample } = config;
  attempt(problems, () => resolveDiTConfig(model));
  attempt(problems, () => {
    const { decay: kind, learningRate: peak, warmupSteps, floor } = optimizer;
    checkSchedule({ kind, peak, warmupSteps, floor, totalSteps: train.steps });
  });
  if (config.data.source === 'digits') {
    const { pad } = config.data;
    const shape = [model.channels, ...model.imageSize] as const;
    const source = { name: 'digits', count: 1, shape: digitsShape(pad), classes: DIGIT_CLASSES };
    attempt(problems, () => checkSource(source, { shape, classes: model.classes }));
  }
  sample.labels.forEach((label, i) => {
    if (label < model.classes) return;
    const wanted =
      model.classes === 0 ? 'no labels: the model has no classes' : `a label below ${model.classes}`;
    problems.push(describeProblem(['sample', 'labels', i], wanted, label));
  });
  if (sample.guidance !== 1 && flow.labelDropout === 0 && model.classes > 0) {
    const wanted = '1 (none): the null label is only learnt with flow.labelDropout above 0';
    problems.push(describeProblem(['sample', 'guidance'], wanted, sample.guidance));
  }
}

function attempt(problems: string[], check: () => unknown): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof RectiflowError)) throw error;
    problems.push(error.message);
  }
}
