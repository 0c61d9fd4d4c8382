// From settings to a whole config: what follows from other settings and from the data, and what settings ask of each other.
import { findClasses } from '../data/find-classes.ts';
import type { SourceFacts } from '../data/source.ts';
import type { DataConfig } from '../sources/settings.ts';
import { completeData, factsOf } from './complete-data.ts';
import { completeLengths } from './complete-lengths.ts';
import { completeModel, completeText } from './complete-model.ts';
import { attempt, configError } from '../tensor/config-error.ts';
import type { ConfigInput, RunConfig } from './config.ts';
import type { TextConfig } from '../train/settings.ts';
import { checkTogether } from '../train/check-config.ts';
import { completeSampling } from '../train/complete.ts';
import { classesOf } from '../train/create-model.ts';
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
  const labels = namedLabels(parsed.sample.labels, classes, facts, problems);
  const given = { ...parsed, sample: { ...parsed.sample, labels } };
  return { ...parsed, data, model, ...completeSampling(given, model, facts) };
}

/** The rows of grids that are asked for, by number or name. */
function namedLabels(
  given: readonly (number | string)[] | undefined,
  count: number,
  facts: SourceFacts | undefined,
  problems: string[],
): readonly number[] | undefined {
  if (given === undefined || given.every((label) => typeof label === 'number')) return given;
  let labels: readonly number[] = [];
  const onNotice = (text: string): void => {
    problems.push(`sample.${text}. Write names as they are, and numbers without quotes`);
  };
  attempt(problems, () => {
    labels = findClasses(given, { count, names: facts?.classNames }, { where: 'sample', onNotice });
  });
  return labels;
}
