// From settings to a whole config: what follows from other settings and from the data, and what settings ask of each other.
import { findClasses } from '../data/find-classes.ts';
import type { SourceFacts } from '../data/source.ts';
import type { DataConfig } from '../sources/settings.ts';
import { completeData, factsOf } from './complete-data.ts';
import { completeLengths } from './complete-lengths.ts';
import { completeModel, completeText } from './complete-model.ts';
import { attempt, configError } from '../tensor/config-error.ts';
import type { ConfigInput, RunConfig } from './config.ts';
import type { ModelConfig, TextConfig } from '../train/settings.ts';
import { checkTogether } from '../train/check-config.ts';
import { completeSampling } from '../train/complete.ts';
import { classesOf } from '../train/create-model.ts';
import { shardsForRanks } from '../train/ranks/share.ts';
import { type Parsed, parseSettings } from './schema.ts';
import { completeStageSteps, completeStages, hasPatches } from './stages.ts';
import type { ParsedStage } from './stages-schema.ts';

export interface ResolveOptions {
  /** How the error calls the config: a file, a recipe. */
  readonly origin?: string;
  /** What the data tell of themselves; needed where the config does not say what the model is made for. */
  readonly facts?: SourceFacts | undefined;
}

/**
 * A config whose settings all exist, each of a form that it can have: what was given, parsed once. What follows from other settings and
 * from the data is filled in by `resolve`.
 */
export class ParsedConfig {
  readonly #parsed: Parsed;
  readonly #origin: string;

  private constructor(parsed: Parsed, origin: string) {
    this.#parsed = parsed;
    this.#origin = origin;
  }

  /**
   * @param origin how errors call the config: a file, a recipe
   * @throws RectiflowError that lists every setting that there is not, or that is of a form that it cannot be
   */
  static of(input: ConfigInput | ParsedConfig, origin = 'config'): ParsedConfig {
    return input instanceof ParsedConfig ? input : new ParsedConfig(parseSettings(input, origin), origin);
  }

  /**
   * The settings of the data alone, to open them before the rest can be resolved.
   * @throws RectiflowError where they do not fit together
   */
  get data(): DataConfig {
    const problems: string[] = [];
    const data = completeData(this.#parsed.data, problems);
    if (problems.length > 0) throw configError(this.#origin, problems);
    return data;
  }

  /**
   * The same for a run that begins on ranks, which share the shards of each step: where the config says nothing of them they are 8, or as
   * many as there are ranks, or fewer where these do not divide its batches.
   */
  forRanks(ranks: number): ParsedConfig {
    const { train, stages } = this.#parsed;
    if (train.shards !== undefined) return this;
    const batches = [train.batchSize, ...stages.map(({ batchSize = train.batchSize }) => batchSize)];
    const shards = shardsForRanks(batches, ranks);
    return new ParsedConfig({ ...this.#parsed, train: { ...train, shards } }, this.#origin);
  }

  /** What the order and the reading of the data depend on, beside the data themselves. */
  get reading(): Pick<RunConfig, 'seed' | 'loader'> {
    const { seed, loader } = this.#parsed;
    return { seed, loader };
  }

  /** What computes. */
  get backend(): RunConfig['backend'] {
    return this.#parsed.backend;
  }

  /** How many samples a step learns from. */
  get batches(): Pick<RunConfig['train'], 'batchSize' | 'batchBy' | 'shards'> {
    const { batchSize, batchBy, shards } = this.#parsed.train;
    return { batchSize, batchBy, shards };
  }

  /** The settings of the text that a model of captions is told; undefined where the config asks for one that is told none. */
  get text(): TextConfig | undefined {
    const { kind = 'text-dit', text = {} } = this.#parsed.model;
    return kind === 'text-dit' ? completeText(text) : undefined;
  }

  /** The captions that the config wants samples of. */
  get prompts(): readonly string[] {
    return this.#parsed.sample.prompts ?? [];
  }

  /**
   * Fills in defaults and what follows from other settings and from the data, and checks everything.
   * @param facts what the data tell of themselves; needed where the config does not say what the model is made for
   * @throws RectiflowError that lists every setting that is wrong, with what was wanted and what was found
   */
  resolve(facts?: SourceFacts): RunConfig {
    const problems: string[] = [];
    const data = completeData(this.#parsed.data, problems);
    const known = facts ?? factsOf(data);
    const parsed = completeStageSteps(this.#parsed, problems);
    const lengths = completeLengths(parsed, facts, problems);
    const filled = fillIn({ ...parsed, ...lengths }, data, known, problems);
    if (problems.length === 0) checkTogether(filled, known, problems);
    const config = problems.length === 0 ? completeStages(parsed.stages, filled, known, problems) : filled;
    if (problems.length > 0) throw configError(this.#origin, problems);
    return config;
  }
}

/**
 * A whole config of what is given: `ParsedConfig.resolve`. Resolving what is resolved changes nothing.
 * @throws RectiflowError that lists every setting that is wrong, with what was wanted and what was found
 */
export function resolveConfig(
  input: ConfigInput | ParsedConfig,
  { origin, facts }: ResolveOptions = {},
): RunConfig {
  return ParsedConfig.of(input, origin).resolve(facts);
}

function fillIn(
  parsed: Parsed & Pick<RunConfig, 'train' | 'optimizer'>,
  data: DataConfig,
  facts: SourceFacts | undefined,
  problems: string[],
): RunConfig {
  const condition = 'condition' in data ? data.condition : undefined;
  const model = withPositions(completeModel(parsed.model, facts, problems, condition), parsed.stages[0]);
  const classes = classesOf(model);
  const labels = namedLabels(parsed.sample.labels, classes, facts, problems);
  const given = { ...parsed, sample: { ...parsed.sample, labels } };
  return { ...parsed, data, model, ...completeSampling(given, model, facts), stages: [] };
}

/** Positions that are stretched are those of the grid that the model begins with, where nothing else is said. */
function withPositions(model: ModelConfig, first: ParsedStage | undefined): ModelConfig {
  if (!hasPatches(model) || (model.positions ?? 'grid') === 'grid' || model.positionGrid) return model;
  const { imageSize = model.imageSize, patchSize = model.patchSize } = first ?? {};
  if (imageSize === undefined || patchSize === undefined) return model;
  const [rows, columns] = imageSize.map((side) => Math.max(1, Math.floor(side / patchSize)));
  return { ...model, positionGrid: [rows!, columns!] };
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
