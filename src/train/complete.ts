// What of settings follows from the model and the data, and whole configs of what is given.
import type { SourceFacts } from '../data/source.ts';
import { configError } from '../tensor/config-error.ts';
import { checkTogether } from './check-config.ts';
import { classesOf } from './create-model.ts';
import { defaultWarmup, defaults } from './defaults.ts';
import { samplersOf } from './objective.ts';
import type { FlowConfig, ModelConfig, SampleConfig, TrainingConfig } from './settings.ts';

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
  // An autoencoder has no use for either, which is said where they are given.
  const isToldUnused = model.kind === 'autoencoder';
  const undropped = isToldUnused ? (flow.labelDropout ?? 0) : 0;
  const unguided = isToldUnused ? (sample.guidance ?? 1) : 1;
  const labelDropout = isConditional ? (flow.labelDropout ?? usual) : undropped;
  const channels = 'channels' in model ? model.channels : facts?.shape.length === 3 ? facts.shape[0]! : 0;
  const isPicture = [1, 3].includes(channels) && facts?.record === undefined;
  const examples = model.kind === 'text-dit' ? (facts?.examples ?? []) : [];
  return {
    flow: { ...flow, coupling, labelDropout },
    sample: {
      ...sample,
      clip: sample.clip ?? (isPicture ? 1 : 0),
      sampler: sample.sampler ?? samplersOf(flow.objective.kind)[0]!,
      guidance: isConditional ? (sample.guidance ?? (labelDropout > 0 ? 2 : 1)) : unguided,
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
