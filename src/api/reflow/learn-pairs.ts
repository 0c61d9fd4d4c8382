import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { ConfigInput, RunConfig } from '../../config/config.ts';
import { mergeConfigs } from '../../config/load-config.ts';
import { resolveConfig } from '../../config/resolve-config.ts';
import { haveSameSettings } from '../../config/same-settings.ts';
import { describeData, toldTo } from '../../known/data-record.ts';
import { pastOf } from '../../known/trained-with.ts';
import { listCheckpoints, readCheckpointPart } from '../../runs/checkpoint.ts';
import { checkpointFolder, readRun } from '../../runs/run-folder.ts';
import { factsOfPairs } from '../../sources/pairs.ts';
import type { PairsManifest, PairsPlan } from '../../sources/pairs/manifest.ts';
import { runError } from '../../tensor/errors.ts';
import { defaultWarmup } from '../../train/defaults.ts';
import type { TrainResult } from '../../train/metrics.ts';
import { beginFromWeights, settled } from '../begin-from-weights.ts';
import { type RunOptions, withKeptTokenizer, withSource } from '../parts.ts';
import { checkRectified } from '../rectified.ts';
import { type RunModel, findCheckpoint, openRunModel } from '../run-sampler.ts';
import { resume } from '../train.ts';
import type { MadePairs } from './make-pairs.ts';
import { checkTeacher, teacherOf } from './pairs-plan.ts';

export interface LearnPairsOptions extends Omit<RunOptions, 'source' | 'objective'> {
  /** Of the new run; by default that of the model that made the pairs, with -reflow or -distilled behind it. */
  readonly name?: string | undefined;
  /** Where its folder is made; `runs` by default. */
  readonly runs?: string | undefined;
  /** Learn only the steps of a sampler that takes so many, from 1: distillation. By default the whole paths: reflow. */
  readonly distill?: number | undefined;
  /** Settings that are to be other than those of the run whose model made the pairs. */
  readonly changes?: ConfigInput | undefined;
}

/** The name of the run that learns from pairs of a run's model, where nobody gives another. */
export function studentName(run: string, distill: number | undefined): string {
  return `${basename(resolve(run))}-${distill === undefined ? 'reflow' : 'distilled'}`;
}

/**
 * Trains a new run on pairs, from the weights that made them (Liu et al. 2022, arXiv:2209.03003, section 2.1): on the whole straight
 * paths between their ends, at U-shaped times (Lee et al. 2024, arXiv:2405.20320), or, to distil, at the times of so many Euler steps
 * alone. All other settings are those of the run whose model made the pairs. It is sampled without guidance: that of the pairs is
 * learnt. Given again, it goes on with the run that is there.
 * @param run the folder of the run whose model made them
 * @throws RectiflowError where the pairs are those of another model, a run of that name learns something else, and where `train` does
 */
export async function learnPairs(
  run: string,
  { folder, manifest }: Pick<MadePairs, 'folder' | 'manifest'>,
  options: LearnPairsOptions = {},
): Promise<TrainResult> {
  const { runs = 'runs', onNotice } = options;
  await checkRectified(run, 'reflow could straighten');
  const checkpoint = manifest.teacher.step;
  const teacher = await openRunModel(run, { ...options, checkpoint, objective: undefined });
  checkTeacher(folder, manifest, teacherOf(teacher, manifest.teacher.weights));
  const config = await studentConfig(teacher, folder, manifest, options);
  const student = join(runs, config.name);
  if (await isBegun(student, config, manifest)) return resume(student, options);
  await begin(teacher, manifest, config, options);
  if (manifest.told !== 'nothing')
    onNotice?.(
      `the pairs were made with guidance ${manifest.sampling.guidance}: what it does is learnt, and samples are made without.`,
    );
  return resume(student, options);
}

/**
 * Whether a run can learn from pairs that are still to be made: what is wrong with it is said before that.
 * @throws RectiflowError as `learnPairs` does
 */
export async function checkStudent(
  teacher: RunModel,
  folder: string,
  plan: PairsPlan,
  options: LearnPairsOptions,
): Promise<void> {
  const config = await studentConfig(teacher, folder, plan, options);
  await isBegun(join(options.runs ?? 'runs', config.name), config, plan);
}

async function studentConfig(
  { run, config: own }: RunModel,
  folder: string,
  plan: PairsPlan,
  options: LearnPairsOptions,
): Promise<RunConfig> {
  const { distill, changes = {}, backend, model, onNotice } = options;
  const data = { source: 'pairs', path: folder } as const;
  const { warmupSteps, ...optimizer } = own.optimizer;
  const { labelDropout: _, coupling: __, ...flow } = own.flow;
  const timeSampling =
    distill === undefined
      ? ({ kind: 'u-shaped', a: 4, stratified: true } as const)
      : ({ kind: 'steps', steps: distill, stratified: true } as const);
  const sampling = distill === undefined ? {} : ({ sampler: 'euler', steps: distill, timeShift: 1 } as const);
  const input = {
    ...own,
    name: options.name ?? studentName(run, distill),
    data,
    stages: [],
    flow: { ...flow, timeSampling, lossWeighting: { kind: 'none' } },
    // The default of a training of that length is the default of another.
    optimizer: warmupSteps === defaultWarmup(own.train.steps) ? optimizer : own.optimizer,
    ema: { ...own.ema, ramp: false },
    heldOut: { ...own.heldOut, count: 0 },
    sample: { ...own.sample, guidance: 1, guidanceInterval: [0, 1], ...sampling },
  } as ConfigInput;
  const config = resolveConfig(mergeConfigs(input, changes), { facts: factsOfPairs(folder, plan) });
  return settled(config, { backend, model, ...(onNotice && { onNotice }) });
}

/**
 * Whether there is a run of that name, which learns what it is to learn.
 * @throws RectiflowError where it learns something else
 */
async function isBegun(student: string, wanted: RunConfig, { teacher }: PairsPlan): Promise<boolean> {
  if (!existsSync(join(student, 'config.json'))) return false;
  const { config: recorded } = await readRun(student);
  const found = resolveConfig(recorded as ConfigInput, { origin: join(student, 'config.json') });
  const advice = 'Give another --name, or the options of then';
  if (!haveSameSettings(found, wanted)) throw runError(student, 'holds a run with other settings', advice);
  if ((await listCheckpoints(checkpointFolder(student))).length === 0) {
    // It was stopped before it had its weights.
    await rm(student, { recursive: true, force: true });
    return false;
  }
  const { begunFrom } = pastOf(await findCheckpoint(student, {}));
  if (begunFrom?.sha256 === teacher.sha256) return true;
  throw runError(student, 'holds a run that began with other weights', advice);
}

async function begin(
  { run, config: own, saved, data, model }: RunModel,
  manifest: PairsManifest,
  config: RunConfig,
  { runs }: LearnPairsOptions,
): Promise<string> {
  const { step, weights, sha256 } = manifest.teacher;
  const tensors = await readCheckpointPart(saved, weights);
  const { tokenizer, captionEncoder } = data;
  const known = await withSource(config.data, { onBadSample: 'fail' }, (source) =>
    describeData(source, toldTo(config.model)),
  );
  return beginFromWeights(
    {
      config,
      model,
      weights: { model: tensors, ema: tensors },
      data: {
        ...known,
        ...(tokenizer && { tokenizer }),
        ...(captionEncoder !== undefined && { captionEncoder }),
      },
      // What samples without label or caption are is not learnt from pairs, and soon no longer true.
      past: { nullTrained: config.flow.labelDropout > 0, begunFrom: { run, step, sha256, by: 'reflow' } },
      captions: await withKeptTokenizer(own.model, run),
    },
    { runs },
  );
}
