// Rectified flow and DDPM on the same data: two runs that differ in nothing else, and what each makes of few evaluations.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readMetrics } from '../runs/metrics-log.ts';
import { readRun } from '../runs/run-folder.ts';
import { energyDistance } from './energy-distance.ts';
import { type ImageShape, type Source, isPicture } from '../data/source.ts';
import { samplers } from '../flow/samplers.ts';
import { runError, valueError } from '../tensor/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { ConfigInput, RunConfig } from '../config/config.ts';
import { ParsedConfig, resolveConfig } from '../config/resolve-config.ts';
import { haveSameSettings } from '../config/same-settings.ts';
import type { OwnModel } from '../train/create-model.ts';
import type { OwnFlow } from '../train/objective.ts';
import { type RunOptions, withSource } from '../api/parts.ts';
import { sample } from '../api/sample.ts';
import { resume, train } from '../api/train.ts';
import { asOf, readCompared, shownRows } from './compared-samples.ts';
import type {
  ComparedKind,
  MeasuredObjective,
  MeasuredObjectives,
  ObjectiveRow,
} from './measured-objectives.ts';
import { type WrittenComparison, writeComparison } from './write-comparison.ts';

export interface CompareObjectivesOptions extends RunOptions {
  /**
   * Where both runs and what is made of them are: `<name>-rectified-flow`, or `<name>-custom`, `<name>-ddpm`, `<name>-comparison`.
   * `runs` by default.
   */
  readonly runs?: string;
  /** How errors call the config: a file, a recipe. */
  readonly origin?: string;
  /** How often samplers may ask the model; 5, 10, 25 and 50 by default. */
  readonly evaluations?: readonly number[];
  /** Samples, and samples of the training data, that distances are measured with; 200 by default, half of the data at most. */
  readonly count?: number;
  /** Hears what of the sampling is done, after both trainings. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface ObjectiveComparison extends MeasuredObjectives {
  readonly files: WrittenComparison;
}

/**
 * Trains the model of a config once with rectified flow and once with DDPM, with the same weights to begin with, batches, noise
 * and number of steps, and makes samples of both with the same numbers of evaluations. Where the config's objective is custom, it
 * is that of the program that takes the place of rectified flow. Times are drawn as the config says for the first and uniformly
 * for DDPM, as published. A run that is there already is used, or gone on with.
 * @throws RectiflowError when a run of that name has other settings, and where `train` and `sample` do; the signal's reason when
 * it stops a training, which is saved
 */
export async function compareObjectives(
  input: ConfigInput,
  options: CompareObjectivesOptions = {},
): Promise<ObjectiveComparison> {
  const { origin = 'config', runs = 'runs', evaluations = [5, 10, 25, 50], signal, onProgress } = options;
  // What is wrong with the config is said of it as it is given.
  const given = ParsedConfig.of(input, origin);
  const { onBadSample } = given.reading.loader;
  return withSource(given.data, { ...options, onBadSample }, async (source) => {
    const variants = variantsOf(input, { ...options, origin });
    const [config, diffusion] = variants.map(({ parsed }) => parsed.resolve(source));
    checkEvaluations(evaluations, diffusion!);
    for (const variant of variants) await trainOrGoOn(variant, source, { ...options, runs, origin });

    const data = await readCompared(source, config!, options.count ?? 200);
    const size = sizeOf(source.shape);
    const total = variants.length * evaluations.length;
    const rows: ObjectiveRow[] = [];
    let pictures: ImageShape | undefined;
    for (const { kind: objective, folder, sampler, own } of variants) {
      for (const steps of evaluations) {
        const { backend } = options;
        const settings = { sampler, steps, backend, signal, model: own.model, objective: own.objective };
        const plain = { ...settings, ...asOf(config!, data.annotations), guidance: 1, decode: false };
        const { values } = await sample(folder, plain);
        const made = await sample(folder, {
          ...settings,
          ...asOf(config!, shownRows(config!, data.annotations)),
        });
        const { values: shown, shape } = made.pictures ?? made;
        pictures = made.pictures || isPicture(shape, source.record) ? (shape as ImageShape) : undefined;
        const distance = energyDistance(values, data.values, size);
        rows.push({ objective, sampler, evaluations: steps, distance, shown });
        onProgress?.(rows.length, total);
      }
    }
    const compared = {
      config: config!,
      objectives: await Promise.all(variants.map(measure)),
      rows,
      pictures,
      dataDistance: energyDistance(data.others, data.values, size),
      count: data.annotations.length,
    };
    const folder = join(runs, `${input.name ?? 'run'}-comparison`);
    return { ...compared, files: await writeComparison(folder, compared, source) };
  });
}

/** One of the two trainings. */
interface Variant {
  readonly kind: ComparedKind;
  readonly parsed: ParsedConfig;
  /** Of its run. */
  readonly folder: string;
  /** One evaluation per step, of first order, adds no noise. */
  readonly sampler: 'euler' | 'ddim';
  /** What of the program's own it takes. */
  readonly own: OwnFlow & OwnModel;
}

function variantsOf(input: ConfigInput, options: CompareObjectivesOptions): readonly Variant[] {
  const { runs = 'runs', objective, timeSampler, model } = options;
  const first = input.flow?.objective?.kind === 'custom' ? 'custom' : 'rectified-flow';
  const variant = (kind: ComparedKind, own: OwnFlow): Variant => {
    const config = configOf(input, kind);
    const hasEuler = kind !== 'ddpm' && 'euler' in (own.objective?.samplers ?? samplers);
    return {
      kind,
      parsed: ParsedConfig.of(config, options.origin),
      folder: join(runs, config.name),
      sampler: hasEuler ? 'euler' : 'ddim',
      own: { ...own, model },
    };
  };
  return [
    variant(first, { objective, timeSampler }),
    variant('ddpm', { objective: undefined, timeSampler: undefined }),
  ];
}

function configOf(input: ConfigInput, kind: ComparedKind): ConfigInput & { readonly name: string } {
  const named = { ...input, name: `${input.name ?? 'run'}-${kind}` };
  if (kind === 'custom') return named;
  const { sampler: _, ...sampling } = input.sample ?? {};
  const { objective, ...flow } = input.flow ?? {};
  const common = { ...named, sample: sampling };
  if (kind === 'rectified-flow') return { ...common, flow: { ...flow, objective: { kind } } };
  const { lossWeighting: __, ...rest } = flow;
  const settings = objective?.kind === 'ddpm' ? objective : { kind };
  return { ...common, flow: { ...rest, timeSampling: { kind: 'uniform' }, objective: settings } };
}

function checkEvaluations(evaluations: readonly number[], { flow: { objective } }: RunConfig): void {
  const most = objective.kind === 'ddpm' ? objective.timesteps : Infinity;
  const wrong = evaluations.find((value) => !Number.isSafeInteger(value) || value < 1 || value > most);
  if (wrong === undefined && evaluations.length > 0) return;
  throw valueError(
    'compare',
    'evaluations',
    `whole numbers from 1 to ${most}, the timesteps`,
    wrong ?? 'none',
  );
}

async function trainOrGoOn(
  { parsed, folder, own }: Variant,
  source: Source,
  options: CompareObjectivesOptions & { origin: string },
): Promise<void> {
  const isThere = existsSync(join(folder, 'config.json'));
  if (isThere) {
    const { config: recorded } = await readRun(folder);
    const found = resolveConfig(recorded as ConfigInput, { origin: join(folder, 'config.json') });
    const wanted = parsed.resolve(source);
    if (!haveSameSettings(found, wanted)) {
      const advice = 'Give the comparison another name, or remove that folder';
      throw runError(folder, 'holds a run with other settings than those to compare', advice);
    }
  }
  const training = { ...options, ...own, source };
  const { finished } = isThere ? await resume(folder, training) : await train(parsed, training);
  if (!finished) options.signal?.throwIfAborted();
}

async function measure({ kind, folder }: Variant): Promise<MeasuredObjective> {
  const { records } = await readMetrics(join(folder, 'metrics.jsonl'));
  const losses = records.flatMap(({ step, loss }) =>
    typeof loss === 'number' ? [[step, loss] as const] : [],
  );
  return { objective: kind, run: folder, losses };
}
