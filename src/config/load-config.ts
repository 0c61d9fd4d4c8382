// From a recipe or a file and --set to a config. Layers go over each other: recipe, then file, then each --set.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readRegular } from '../host/regular-file.ts';
import { type ExpectedData, recipes } from '../recipes/index.ts';
import { locatedData, staysInside } from '../sources/in-run.ts';
import type { DataConfig } from '../sources/settings.ts';
import { configError } from '../tensor/config-error.ts';
import { RectiflowError, fileError, systemProblem } from '../tensor/errors.ts';
import { didYouMean } from '../tensor/suggest.ts';
import { decodeText } from '../tensor/text.ts';
import { type BareData, bareData, describeBareData } from './bare-data.ts';
import type { ConfigInput } from './config.ts';
import { parseYaml } from './parse-yaml.ts';
import { ParsedConfig } from './resolve-config.ts';
import { runNameOf } from './run-name.ts';

type Settings = Readonly<Record<string, unknown>>;

export interface LoadedConfig {
  readonly config: ConfigInput;
  readonly origin: string;
  /** What functions that take a config take as well: it is not parsed again. */
  readonly parsed: ParsedConfig;
  /** What the recipe's data would be, where the config does not say where they lie; its `data.path` leads nowhere then. */
  readonly absent?: ExpectedData | undefined;
}

/** How a config calls data that nobody has named yet. */
const unnamedPath = 'data.path';

/**
 * The config that a command line asks for, and how errors call it. What depends on the data is not filled in yet.
 * @param target a recipe's name, or the path of a .yaml, .yml or .json file, which may name a recipe to start from, or be the
 * record of a run
 * @param overrides `a.b=value` with a value in YAML, such as `train.steps=100` or `optimizer.betas=[0.9, 0.95]`
 * @param onBareData makes a folder of images, or a file of data, stand for the least config that names it; it hears of that
 * @param mayLackData whether a recipe will do whose data the config does not name; `absent` tells what they are then
 * @throws RectiflowError when the file, an override or a setting is wrong, all settings that can be seen to be wrong in one error
 */
export async function loadConfig(
  target: string,
  overrides: readonly string[] = [],
  onBareData?: (text: string) => void,
  mayLackData = false,
): Promise<LoadedConfig> {
  const isRecipe = Object.hasOwn(recipes, target);
  const bare = isRecipe ? undefined : await bareData(target);
  if (bare && onBareData === undefined) throw noConfig(target, bare);
  if (bare) onBareData?.(`${target} is no config. It is taken as one that says ${describeBareData(bare)}`);
  const isFile = bare !== undefined || /[/\\]|\.(ya?ml|json)$/i.test(target);
  if (!isFile) recipeSettings(target, '');
  const given: Settings = bare ? { data: bare } : isFile ? await readSettings(target) : { recipe: target };
  const origin = isFile ? target : `recipe ${target}`;
  return load(given, { origin, name: runNameOf(target, 'run'), overrides, mayLackData });
}

/**
 * The config that a text holds, in YAML or JSON, as that of a file.
 * @param origin how errors call it
 * @throws RectiflowError as `loadConfig` does
 */
export async function loadConfigText(
  text: string,
  origin: string,
  overrides: readonly string[] = [],
  mayLackData = false,
): Promise<LoadedConfig> {
  const given = await settingsIn(text, origin, 'Correct it').catch((error: unknown) => {
    // No file is at fault.
    throw error instanceof RectiflowError
      ? new RectiflowError('config', error.message, { cause: error })
      : error;
  });
  return load(given, { origin, name: 'run', overrides, mayLackData });
}

interface LoadOptions {
  readonly origin: string;
  /** Of the run, where nothing says another. */
  readonly name: string;
  readonly overrides: readonly string[];
  readonly mayLackData: boolean;
}

async function load(
  { recipe, ...own }: Settings,
  { origin, name, overrides, mayLackData }: LoadOptions,
): Promise<LoadedConfig> {
  const start = recipe === undefined ? {} : recipeSettings(recipe, `${origin}: recipe: `);
  const layers = [{ name }, own, ...(await Promise.all(overrides.map(parseOverride)))];
  const merged: ConfigInput = laidOver(start, layers);
  const absent = absentData(recipe, merged);
  if (absent && !mayLackData) throw configError(origin, [withoutData(absent)]);
  const config = absent
    ? (merge(merged as Settings, { data: { path: unnamedPath } }) as ConfigInput)
    : merged;
  const parsed = ParsedConfig.of(config, origin);
  // Whatever is wrong with them is told before anything is made.
  void parsed.data;
  return { config, origin, parsed, absent };
}

/** The data that a recipe is for, where the config leaves open where they lie. */
function absentData(recipe: unknown, { data }: ConfigInput): ExpectedData | undefined {
  if (typeof recipe !== 'string' || !Object.hasOwn(recipes, recipe)) return undefined;
  const { expects, config } = recipes[recipe]!;
  const isItsOwn = isSettings(data) && data.source === config.data?.source;
  return isItsOwn && !('path' in data) ? expects : undefined;
}

/** What to set where a recipe's data are not named. */
export function withoutData({ layout }: ExpectedData): string {
  return `data.path: wanted ${layout}, found nothing. Give it, as in --set data.path=/data/imagenet/train`;
}

function noConfig(target: string, data: BareData): RectiflowError {
  const advice =
    `See what is in it with rectiflow data check ${target}. To train, write a config file with two lines, ` +
    `${describeBareData(data)} and model: { preset: DiT-Ti/4 }, and give that`;
  return fileError(target, 'holds data, and is no config', advice);
}

/**
 * A recipe with changes, for programs.
 * @throws RectiflowError when there is no such recipe
 */
export function recipeConfig(name: string, changes: ConfigInput = {}): ConfigInput {
  return laidOver(recipeSettings(name, 'recipeConfig: '), [{ name }, changes as Settings]);
}

/** Settings with changes over them, each over those before, as a file's lie over its recipe's. */
export function mergeConfigs(base: ConfigInput, ...changes: readonly ConfigInput[]): ConfigInput {
  return laidOver(base as Settings, changes as readonly Settings[]);
}

function laidOver(base: Settings, changes: readonly Settings[]): Settings {
  return changes.reduce(merge, withoutLengthOf(base, changes));
}

/** Stages that say how long they are replace the length of what they are laid over: one that stands beside them is checked. */
function withoutLengthOf(base: Settings, changes: readonly Settings[]): Settings {
  const stages = changes.findLast(({ stages: given }) => given !== undefined)?.['stages'];
  const last: unknown = Array.isArray(stages) ? stages.at(-1) : undefined;
  if (!isSettings(last) || last['steps'] === undefined || !isSettings(base['train'])) return base;
  const { steps: _s, epochs: _e, ...train } = base['train'];
  return { ...base, train };
}

/**
 * What `a.b=value`, with a value in YAML, changes.
 * @throws RectiflowError where one of them is none
 */
export async function configOf(overrides: readonly string[]): Promise<ConfigInput> {
  return (await Promise.all(overrides.map(parseOverride))).reduce(merge, {});
}

/** @param where what errors begin with */
function recipeSettings(name: unknown, where: string): Settings {
  const known = Object.keys(recipes);
  if (typeof name === 'string' && Object.hasOwn(recipes, name)) return recipes[name]!.config as Settings;
  throw new RectiflowError(
    'config',
    `${where}there is no recipe ${JSON.stringify(name)}.${didYouMean(String(name), known)} ` +
      `Give one of ${known.join(', ')}, or the path of a .yaml or .json file.`,
  );
}

/**
 * Settings with others over them. A form named anew (another data source, another preset) replaces the old one's settings,
 * which would mean nothing to it; a length in steps replaces one in epochs, and the other way round.
 */
function merge(base: Settings, over: Settings): Settings {
  const changes = Object.entries(over).map(([key, value]) => {
    const below = Object.hasOwn(base, key) ? base[key] : undefined;
    const nested = isSettings(value) && isSettings(below);
    return [key, nested ? merge(withoutOldForm(below, value), value) : value] as const;
  });
  return Object.fromEntries([...Object.entries(base), ...changes]);
}

/** Settings that say the same in other units. */
const alternatives: ReadonlyMap<string, string> = new Map([
  ['steps', 'epochs'],
  ['epochs', 'steps'],
  ['warmupSteps', 'warmupEpochs'],
  ['warmupEpochs', 'warmupSteps'],
]);

function withoutOldForm(base: Settings, over: Settings): Settings {
  const renamed = (name: string): boolean =>
    Object.hasOwn(base, name) && Object.hasOwn(over, name) && over[name] !== base[name];
  if (renamed('source') || renamed('kind')) return {};
  const replaced = Object.keys(over).map((name) => over[name] !== undefined && alternatives.get(name));
  const kept = Object.fromEntries(Object.entries(base).filter(([name]) => !replaced.includes(name)));
  if (!Object.hasOwn(over, 'preset') || over.preset === base.preset) return kept;
  const { width: _w, depth: _d, heads: _h, patchSize: _p, ...rest } = kept;
  return rest;
}

/** Of a file of settings, with room for lists of names and captions. */
const mostBytes = 4 << 20;

async function readSettings(path: string): Promise<Settings> {
  const record = join(path, 'config.json');
  if (existsSync(record)) {
    const advice = `Go on with it: rectiflow resume ${path}. Or give its settings, to train anew: ${record}`;
    throw fileError(path, 'is the folder of a run, and no config', advice);
  }
  const bytes = await readRegular(path, mostBytes).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), 'Give a recipe or the path of a config file', error);
  });
  return settingsIn(decodeText(bytes, path), path, 'Correct the file', dirname(path));
}

/**
 * @param advice what to do where it is no YAML
 * @param folder in which the text lies: that of a run has the run's data, too
 */
async function settingsIn(text: string, origin: string, advice: string, folder?: string): Promise<Settings> {
  const settings = await parseYaml(text).catch((error: unknown) => {
    throw fileError(origin, `is no YAML or JSON: ${(error as Error).message}`, advice, error);
  });
  if (!isSettings(settings)) {
    throw fileError(origin, 'holds no settings', 'Write them as name: value, or start with "recipe: digits"');
  }
  // The config.json of a run, or what `rectiflow repro` wrote: no setting is called config.
  const { config } = settings;
  if (!isSettings(config)) return settings;
  const { data } = config;
  if (folder === undefined || !isWithinRun(data)) return config;
  return { ...config, data: locatedData(data, folder) };
}

/** Of what is not so parsing tells. */
function isWithinRun(data: unknown): data is DataConfig {
  if (!isSettings(data)) return false;
  const { path, labels = '', captions = '' } = data;
  return [path, labels, captions].every((file) => typeof file === 'string' && staysInside(file));
}

/** `a.b=value` as { a: { b: value } }. */
async function parseOverride(text: string): Promise<Settings> {
  const [, path, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  const keys = path?.trim().split('.') ?? [];
  const wrong = (cause?: unknown): RectiflowError => {
    const wanted =
      'wanted a.b=value with a value in YAML, as in train.steps=100 or optimizer.betas=[0.9, 0.95]';
    return new RectiflowError('config', `--set ${text}: ${wanted}`, { cause });
  };
  if (keys.length === 0 || keys.includes('')) throw wrong();
  const parsed = await parseYaml(value ?? '').catch((error: unknown) => {
    throw wrong(error);
  });
  return keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), parsed) as Settings;
}

function isSettings(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
