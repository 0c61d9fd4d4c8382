// What settings are where nobody says it, and what of them follows from the model and the data.
import type { SourceFacts } from '../data/source.ts';
import { configError } from '../tensor/config-error.ts';
import { checkTogether } from './check-config.ts';
import { classesOf } from './create-model.ts';
import { samplersOf } from './objective.ts';
import type { FlowConfig, ModelConfig, SampleConfig, TrainingConfig } from './settings.ts';

/** Of settings that depend on no other. */
export const defaults = {
  steps: 10_000,
  labelDropout: 0.1,
  seed: 0,
  loader: { workers: 4, prefetch: 2, cacheMiB: 256, onBadSample: 'fail' },
  flow: {
    objective: { kind: 'rectified-flow' },
    timeSampling: { kind: 'uniform', stratified: false, shift: 1 },
    lossWeighting: { kind: 'none' },
  },
  optimizer: {
    learningRate: 1e-4,
    betas: [0.9, 0.999] as [number, number],
    epsilon: 1e-8,
    weightDecay: 0,
    decayed: 'all',
    decay: 'cosine',
    floor: 0,
    clipNorm: 1,
  },
  ema: { decay: 0.9999, ramp: true, decays: [] as number[], power: [] as number[], snapshotEvery: 0 },
  train: {
    batchSize: 64,
    memoryMiB: 'auto',
    badSteps: { rollBackAfter: 5, window: 100, stopAfter: 3 },
    lossScaling: { initial: 65536, growth: 2, backOff: 0.5, growthInterval: 2000 },
    logEvery: 10,
    sampleEvery: 1000,
    checkpointEvery: 1000,
    keepCheckpoints: 3,
    keepEvery: 0,
    precision: 'auto',
    memory: 'keep',
  },
  heldOut: { count: 0, every: 500 },
  sample: {
    steps: 50,
    timeShift: 1,
    rtol: 1e-3,
    atol: 1e-3,
    diffusion: 1,
    eta: 0,
    guidanceInterval: [0, 1] as [number, number],
    perClass: 8,
    gridWeights: 'both',
  },
} as const;

/** Steps in which the learning rate rises. */
export function defaultWarmup(steps: number): number {
  return Math.min(100, Math.floor(steps / 10));
}

type Given<T> = { readonly [Key in keyof T]?: T[Key] | undefined };
type Completed = 'sampler' | 'clip' | 'guidance' | 'labels' | 'prompts';

/** What a model is told, and so how samples of it are made and shown. */
export function completeSampling(
  {
    flow,
    sample,
  }: {
    readonly flow: Omit<FlowConfig, 'labelDropout' | 'coupling'> & Given<FlowConfig>;
    readonly sample: Omit<SampleConfig, Completed> & Given<SampleConfig>;
  },
  model: ModelConfig,
  facts: SourceFacts | undefined,
): Pick<TrainingConfig, 'flow' | 'sample'> {
  const classes = classesOf(model);
  const isConditional = classes > 0 || model.kind === 'text-dit';
  const coupling = flow.coupling ?? (facts?.paired ? 'pairs' : 'independent');
  // Pairs were made with what they are told: none of them tells what samples without it are.
  const usual = coupling === 'pairs' ? 0 : defaults.labelDropout;
  const labelDropout = isConditional ? (flow.labelDropout ?? usual) : 0;
  const channels = 'channels' in model ? model.channels : facts?.shape.length === 3 ? facts.shape[0]! : 0;
  const isPicture = [1, 3].includes(channels) && facts?.record === undefined;
  const examples = model.kind === 'text-dit' ? (facts?.examples ?? []) : [];
  return {
    flow: { ...flow, coupling, labelDropout },
    sample: {
      ...sample,
      clip: sample.clip ?? (isPicture ? 1 : 0),
      sampler: sample.sampler ?? samplersOf(flow.objective.kind)[0]!,
      guidance: isConditional ? (sample.guidance ?? (labelDropout > 0 ? 2 : 1)) : 1,
      labels: sample.labels ?? Array.from({ length: Math.min(10, classes) }, (_, label) => label),
      prompts: sample.prompts ?? examples.slice(0, 8),
    },
  };
}

/** What a training has to say; everything else has a default, or follows from the model and the data. */
export interface TrainingInput extends Given<Pick<TrainingConfig, 'seed'>> {
  readonly model: ModelConfig;
  readonly loader?: Given<TrainingConfig['loader']>;
  readonly flow?: Given<FlowConfig>;
  readonly optimizer?: Given<TrainingConfig['optimizer']>;
  readonly ema?: Given<TrainingConfig['ema']>;
  readonly train?: Given<TrainingConfig['train']>;
  readonly heldOut?: Given<TrainingConfig['heldOut']>;
  readonly sample?: Given<SampleConfig>;
}

/**
 * The settings of a training that a program writes down: the form of each is what its type says, and is not looked at again.
 * @param facts of the data
 * @throws RectiflowError that lists what settings ask of each other and of the data, and do not find
 */
export function completeTraining(input: TrainingInput, facts: SourceFacts): TrainingConfig {
  const { model, seed = defaults.seed } = input;
  const steps = input.train?.steps ?? defaults.steps;
  const config: TrainingConfig = {
    seed,
    model,
    loader: { ...defaults.loader, ...given(input.loader) },
    optimizer: {
      ...defaults.optimizer,
      warmupSteps: defaultWarmup(steps),
      ...given(input.optimizer),
    },
    ema: { ...defaults.ema, ...given(input.ema) },
    train: { ...defaults.train, ...given(input.train), steps },
    heldOut: { ...defaults.heldOut, ...given(input.heldOut) },
    ...completeSampling(
      {
        flow: { ...defaults.flow, ...given(input.flow) },
        sample: { ...defaults.sample, ...given(input.sample) },
      },
      model,
      facts,
    ),
  };
  const problems: string[] = [];
  checkTogether(config, facts, problems);
  if (problems.length > 0) throw configError('config', problems);
  return config;
}

/** What is undefined is left to its default. */
function given<T extends object>(settings: T | undefined): { [Key in keyof T]?: NonNullable<T[Key]> } {
  const entries = Object.entries(settings ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof T]?: NonNullable<T[Key]> };
}
