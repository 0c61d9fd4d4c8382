// What a set of pairs is to be, before any of it is made, and whether it is that which was begun.
import { samplerOf } from '../../flow/objective.ts';
import { isNullTrained } from '../../known/trained-with.ts';
import {
  PAIRS_MANIFEST,
  type PairsManifest,
  type PairsPlan,
  type PairsSampling,
  type Teacher,
} from '../../sources/pairs/manifest.ts';
import { fileError, valueError } from '../../tensor/errors.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { RunModel } from '../run-sampler.ts';
import {
  type AskedSampling,
  samplerSettings,
  usableGuidance,
} from '../../runner/samples/sampler-settings.ts';
import { classesTold } from '../classes-told.ts';
import { toldPairs } from './told-pairs.ts';

/** How pairs are made; what is left out is as the run's config says. */
export interface PairsChoice extends Omit<AskedSampling, 'diffusion' | 'eta' | 'clip'> {
  /** 20,000 by default. */
  readonly pairs?: number | undefined;
  /** Pairs of a file: as many are made again where making them was stopped. 512 by default, fewer of large samples. */
  readonly perShard?: number | undefined;
  /** Pair i begins with noise that is a function of (seed, i) alone, and so is what it is told; 0 by default. */
  readonly seed?: number | undefined;
  /** The weights that make them, and that a new run begins with; ema by default. */
  readonly weights?: 'ema' | 'model' | undefined;
  /** What pairs are made for: labels and captions as often as the data have them, the default, or each class as often. */
  readonly told?: 'data' | 'uniform' | undefined;
  readonly onNotice?: (text: string) => void;
}

const usualShard = 512;
/** Bytes of a shard, at most, where it has more than one pair. */
const mostBytes = 64 * 2 ** 20;

/**
 * What is asked of a run's model.
 * @throws RectiflowError for options that do not fit it
 */
export function planPairs(opened: RunModel, choice: PairsChoice): PairsPlan {
  const { config, saved, data, objective, model } = opened;
  const { pairs = 20_000, seed = 0, weights = 'ema' } = choice;
  const shape = model.sampleShape;
  const fitting = Math.max(1, Math.min(usualShard, Math.floor(mostBytes / (8 * sizeOf(shape)))));
  const { perShard = fitting } = choice;
  for (const [name, value] of Object.entries({ pairs, perShard })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw valueError('reflow', name, 'a whole number above 0', value);
  }
  const told = toldPairs(opened, choice.told);
  const isTold = told !== 'nothing';
  const guidance = usableGuidance(choice, config, isTold, isNullTrained(saved, config));
  const { sampler, steps, timeShift, rtol, atol, guidanceInterval } = samplerSettings(choice, config.sample);
  if (sampler === 'euler-maruyama')
    throw valueError(
      'reflow',
      'sampler',
      'one that adds no noise: a sample follows from the noise that is stored',
      sampler,
    );
  samplerOf(objective, sampler);
  const sampling: PairsSampling = {
    seed,
    sampler: sampler!,
    steps: steps!,
    timeShift: timeShift!,
    rtol: rtol!,
    atol: atol!,
    guidance,
    guidanceInterval: guidanceInterval!,
  };
  const { classNames, record } = data;
  const classes = classesTold(opened);
  return {
    format: 'rectiflow pairs',
    version: 1,
    count: pairs,
    perShard,
    shape,
    ...(classes > 0 && { classes }),
    ...(classes > 0 && classNames?.length === classes && { classNames }),
    captions: config.model.kind === 'text-dit',
    ...(record && { record }),
    teacher: teacherOf(opened, weights),
    sampling,
    told,
  };
}

/** The weights that a run's checkpoint has, as pairs and runs that begin with them name them. */
export function teacherOf(
  { run, saved }: Pick<RunModel, 'run' | 'saved'>,
  weights: 'ema' | 'model',
): Teacher {
  return { run, step: saved.step, weights, sha256: saved.files[`${weights}.safetensors`]!.sha256 };
}

/**
 * Whether pairs that were begun are those that are asked for.
 * @throws RectiflowError where they were made by other weights, or otherwise
 */
export function checkBegun(folder: string, begun: PairsManifest, wanted: PairsPlan): void {
  checkTeacher(folder, begun, wanted.teacher);
  const settings = ({ sampling, ...manifest }: PairsPlan): object => {
    const { count, perShard, told, shape, classes, captions } = manifest;
    return { pairs: count, perShard, told, shape, classes, captions, ...sampling };
  };
  const [before, now] = [begun, wanted].map((each) => Object.entries(settings(each)));
  const changes = before!.flatMap(([name, value], i) => {
    const [old, current] = [value, now![i]![1]].map((each) => JSON.stringify(each) ?? 'nothing');
    return old === current ? [] : [`${name} ${old} -> ${current}`];
  });
  if (changes.length === 0) return;
  const problem = `holds pairs that were begun otherwise: ${changes.join(', ')}`;
  throw fileError(`${folder}/${PAIRS_MANIFEST}`, problem, 'Give the options of then, or another --name');
}

/** @throws RectiflowError where pairs were made by other weights than these */
export function checkTeacher(
  folder: string,
  { teacher }: Pick<PairsManifest, 'teacher'>,
  now: Teacher,
): void {
  if (teacher.sha256 === now.sha256) return;
  const [by, found] = [teacher, now].map(({ run, step, weights }) => `${run}, step ${step} (${weights})`);
  const problem = `holds pairs made by another model: ${by}, whose weights are not those of ${found}`;
  throw fileError(
    folder,
    problem,
    `Give --checkpoint ${teacher.step} where it is still there, or another --name`,
  );
}
