// From settings to a whole config: what follows from other settings and from the data, and what settings ask of each other.
import { findClasses } from '../data/find-classes.ts';
import { checkSource } from '../data/source.ts';
import type { SourceFacts } from '../data/source.ts';
import type { DataConfig } from '../sources/settings.ts';
import { checkSchedule } from '../optim/schedule.ts';
import { completeData, factsOf } from './complete-data.ts';
import { completeLengths } from './complete-lengths.ts';
import { completeModel, completeText } from './complete-model.ts';
import { attempt, configError, describeProblem } from '../tensor/config-error.ts';
import type { ConfigInput, RunConfig } from './config.ts';
import type { TextConfig } from '../train/settings.ts';
import { classesOf, createModel } from '../train/create-model.ts';
import { checkObjective, samplersOf } from '../train/objective.ts';
import { type Parsed, parseSettings } from './schema.ts';

export interface ResolveOptions {
  /** How the error calls the config: a file, a recipe. */
  readonly origin?: string;
  /** What the data tell of themselves; needed where the config does not say what the model is made for. */
  readonly facts?: SourceFacts | undefined;
}

/**
 * Fills in defaults and what follows from other settings and from the data, and checks everything. Resolving what is
 * resolved changes nothing.
 * @throws RectiflowError that lists every setting that is wrong, with what was wanted and what was found
 */
export function resolveConfig(
  input: ConfigInput,
  { origin = 'config', facts }: ResolveOptions = {},
): RunConfig {
  const parsed = parseSettings(input, origin);
  const problems: string[] = [];
  const data = completeData(parsed.data, problems);
  const known = facts ?? factsOf(data);
  const lengths = completeLengths(parsed, facts, problems);
  const config = fillIn({ ...parsed, ...lengths }, data, known, problems);
  if (problems.length === 0) checkTogether(config, known, problems);
  if (problems.length > 0) throw configError(origin, problems);
  return config;
}

/**
 * The settings of the data alone, to open them before the rest can be resolved.
 * @throws RectiflowError when any setting of the config is one that there is not, or of a kind that it cannot be
 */
export function resolveData(input: ConfigInput, origin = 'config'): DataConfig {
  const problems: string[] = [];
  const data = completeData(parseSettings(input, origin).data, problems);
  if (problems.length > 0) throw configError(origin, problems);
  return data;
}

/**
 * What the order and the reading of the data depend on, beside the data themselves: these need no data, and no model.
 * @throws RectiflowError as `resolveData` does
 */
export function resolveReading(input: ConfigInput, origin = 'config'): Pick<RunConfig, 'seed' | 'loader'> {
  const { seed, loader } = parseSettings(input, origin);
  return { seed, loader };
}

/**
 * The settings of the text that a model of captions is told: these need no data, and no more of a model.
 * @returns undefined where the config asks for a model that is told no captions
 * @throws RectiflowError as `resolveData` does
 */
export function resolveText(input: ConfigInput, origin = 'config'): TextConfig | undefined {
  const { kind = 'text-dit', text = {} } = parseSettings(input, origin).model;
  return kind === 'text-dit' ? completeText(text) : undefined;
}

function fillIn(
  parsed: Parsed & Pick<RunConfig, 'train' | 'optimizer'>,
  data: DataConfig,
  facts: SourceFacts | undefined,
  problems: string[],
): RunConfig {
  const model = completeModel(
    parsed.model,
    facts,
    problems,
    'condition' in data ? data.condition : undefined,
  );
  const classes = classesOf(model);
  const { flow, sample } = parsed;
  const isConditional = classes > 0 || model.kind === 'text-dit';
  const labelDropout = isConditional ? (flow.labelDropout ?? 0.1) : 0;
  const channels = 'channels' in model ? model.channels : facts?.shape.length === 3 ? facts.shape[0]! : 0;
  const isPicture = [1, 3].includes(channels) && facts?.record === undefined;
  const examples = model.kind === 'text-dit' ? (facts?.examples ?? []) : [];
  return {
    ...parsed,
    data,
    model,
    flow: { ...flow, labelDropout },
    sample: {
      ...sample,
      clip: sample.clip ?? (isPicture ? 1 : 0),
      sampler: sample.sampler ?? samplersOf(flow.objective.kind)[0]!,
      guidance: isConditional ? (sample.guidance ?? (labelDropout > 0 ? 2 : 1)) : 1,
      labels: labelsOf(sample.labels, classes, facts, problems),
      prompts: sample.prompts ?? examples.slice(0, 8),
    },
  };
}

/** The rows of grids of a model with classes: those that are asked for, by number or name, or the first ten. */
function labelsOf(
  given: readonly (number | string)[] | undefined,
  count: number,
  facts: SourceFacts | undefined,
  problems: string[],
): readonly number[] {
  if (given === undefined) return Array.from({ length: Math.min(10, count) }, (_, label) => label);
  if (given.every((label) => typeof label === 'number')) return given;
  let labels: readonly number[] = [];
  const onNotice = (text: string): void => {
    problems.push(`sample.${text}. Write names as they are, and numbers without quotes`);
  };
  attempt(problems, () => {
    labels = findClasses(given, { count, names: facts?.classNames }, { where: 'sample', onNotice });
  });
  return labels;
}

/** What settings ask of each other. */
function checkTogether(config: RunConfig, facts: SourceFacts | undefined, problems: string[]): void {
  const { model, optimizer, ema, train, flow, sample } = config;
  // One that the program brings is checked where it is at hand.
  if (model.kind !== 'custom')
    attempt(problems, () => {
      const { sampleShape: shape } = createModel(model);
      if (facts)
        checkSource(facts, { shape, classes: classesOf(model), captions: model.kind === 'text-dit' });
    });
  attempt(problems, () => {
    const { decay: kind, learningRate: peak, warmupSteps, floor } = optimizer;
    checkSchedule({ kind, peak, warmupSteps, floor, totalSteps: train.steps });
  });
  checkObjective(config, problems);
  ema.decays.forEach((decay, i) => {
    if (![ema.decay, ...ema.decays.slice(0, i)].includes(decay)) return;
    problems.push(describeProblem(['ema', 'decays', i], 'a decay that no other average has', decay));
  });
  ema.power.forEach((length, i) => {
    if (!ema.power.slice(0, i).includes(length)) return;
    problems.push(describeProblem(['ema', 'power', i], 'a length that no other average has', length));
  });
  if (ema.snapshotEvery > 0 && ema.power.length === 0) {
    const wanted = '0 (none): there is nothing to store without ema.power, as in [0.05, 0.1]';
    problems.push(describeProblem(['ema', 'snapshotEvery'], wanted, ema.snapshotEvery));
  }
  const classes = classesOf(model);
  sample.labels.forEach((label, i) => {
    if (label < classes) return;
    const wanted = classes === 0 ? 'no labels: the model has no classes' : `a label below ${classes}`;
    problems.push(describeProblem(['sample', 'labels', i], wanted, label));
  });
  if (sample.prompts.length > 0 && model.kind !== 'text-dit') {
    problems.push(
      describeProblem(['sample', 'prompts'], 'no captions: the model takes none', sample.prompts),
    );
  }
  if (sample.guidance !== 1 && flow.labelDropout === 0) {
    const wanted = '1 (none): what it is without labels is only learnt with flow.labelDropout above 0';
    problems.push(describeProblem(['sample', 'guidance'], wanted, sample.guidance));
  }
}
