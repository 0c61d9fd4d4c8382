import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FlowSampler } from '../../flow/sample.ts';
import type { AnySamplerName } from '../../flow/samplers.ts';
import { describeKernels } from '../../train/kernels.ts';
import { listCheckpoints } from '../../runs/checkpoint.ts';
import { lockRun } from '../../runs/lock.ts';
import { checkpointFolder } from '../../runs/run-folder.ts';
import {
  type PairsManifest,
  type PairsPlan,
  type PairsShard,
  countMade,
  readPairsManifest,
  shardName,
} from '../../sources/pairs/manifest.ts';
import { damageOf } from '../../sources/pairs/verify.ts';
import { putShard, writePairsManifest } from '../../sources/pairs/write-shard.ts';
import { fileError, systemProblem } from '../../tensor/errors.ts';
import { philoxNormal } from '../../tensor/philox.ts';
import { streams } from '../../tensor/random-streams.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { OwnModel } from '../../train/create-model.ts';
import type { RunOptions } from '../parts.ts';
import { checkRectified } from '../rectified.ts';
import { type RunModel, openRunModel, withRunSampler } from '../run-sampler.ts';
import { type PairsChoice, checkBegun, planPairs } from './pairs-plan.ts';
import { type Tell, withTold } from './told-pairs.ts';

export interface MakePairsOptions
  extends PairsChoice, OwnModel, Pick<RunOptions, 'source' | 'acceptData' | 'backend' | 'signal'> {
  /** The step of a checkpoint; by default that which made the pairs that are there, else the last that is intact. */
  readonly checkpoint?: number | undefined;
  /** Asked before anything is made: what it throws ends it. */
  readonly check?: ((opened: RunModel, plan: PairsPlan) => Promise<void>) | undefined;
  /** Hears of pairs. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface MadePairs {
  readonly folder: string;
  readonly manifest: PairsManifest;
  /** Those that were not there before. */
  readonly made: number;
}

/**
 * Stores noise and the sample that a run's model makes of it, for as many pairs as are asked for (Liu et al. 2022, arXiv:2209.03003,
 * section 2.1, the coupling that reflow learns from). Each pair is made for a label or a caption: by default for that of a sample of
 * the data the run was trained on, every one as often as the others. Given again, it goes on with what is there, to the same bits;
 * what has changed on the disk is made anew.
 * @param run the folder of the run
 * @param folder of the pairs
 * @throws RectiflowError where the run is none of rectified flow, the folder holds pairs of another model or made otherwise, another
 * process makes them, and where a file cannot be written: the pairs before it are kept
 */
export async function makePairs(
  run: string,
  folder: string,
  options: MakePairsOptions = {},
): Promise<MadePairs> {
  const begun = await readPairsManifest(folder);
  const opened = await openTeacher(run, begun, options);
  const plan = planPairs(opened, options);
  if (begun) checkBegun(folder, begun, plan);
  await options.check?.(opened, plan);
  await makeFolder(folder);
  const lock = await lockRun(folder, { waiting: { signal: options.signal, onNotice: options.onNotice } });
  try {
    for (const name of await readdir(folder))
      if (/\.tmp-\d+$/.test(name)) await rm(join(folder, name), { force: true });
    const intact = begun && (await dropDamaged(folder, begun, options));
    if (intact && missingOf(intact).length === 0) return { folder, manifest: intact, made: 0 };
    const seed = plan.sampling.seed;
    return await withTold(opened, { ...options, told: plan.told, seed }, (tell) =>
      withRunSampler(opened, options, async (sampler, backend) => {
        const manifest = await begin(folder, intact, { ...plan, kernels: describeKernels(backend) }, options);
        const check = (): Promise<void> => lock.check();
        return makeMissing({ folder, opened, manifest, tell, sampler, check }, options);
      }),
    );
  } finally {
    await lock.release();
  }
}

/** The checkpoint that made the pairs that are there, where it still is and no other is asked for. */
async function openTeacher(
  run: string,
  begun: PairsManifest | undefined,
  options: MakePairsOptions,
): Promise<RunModel> {
  await checkRectified(run, 'reflow could straighten');
  const steps = begun ? await listCheckpoints(checkpointFolder(run)) : [];
  const same = begun && steps.includes(begun.teacher.step) ? begun.teacher.step : undefined;
  return openRunModel(run, { ...options, checkpoint: options.checkpoint ?? same, objective: undefined });
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError(folder, `cannot be made: ${systemProblem(error)}`, 'Check the path and the disk', error);
  }
}

/** What is there, without the files that have changed since: they are made anew. */
async function dropDamaged(
  folder: string,
  manifest: PairsManifest,
  { onNotice, signal }: MakePairsOptions,
): Promise<PairsManifest> {
  const files: PairsShard[] = [];
  for (const shard of manifest.files) {
    signal?.throwIfAborted();
    const problem = await damageOf(folder, shard);
    if (problem !== undefined)
      onNotice?.(`${join(folder, shard.name)}: ${problem}. Its pairs are made anew.`);
    else files.push(shard);
  }
  return { ...manifest, files };
}

/** The shards that are not there. */
function missingOf({ count, perShard, files }: PairsManifest): number[] {
  const shards = Array.from({ length: Math.ceil(count / perShard) }, (_, index) => index);
  return shards.filter((index) => files.every(({ name }) => name !== shardName(index)));
}

async function begin(
  folder: string,
  intact: PairsManifest | undefined,
  plan: Omit<PairsManifest, 'files'>,
  { onNotice }: MakePairsOptions,
): Promise<PairsManifest> {
  if (intact === undefined) return writePairsManifest(folder, { ...plan, files: [] });
  if (intact.kernels !== plan.kernels)
    onNotice?.(
      `${folder}: was begun with ${intact.kernels}, this is ${plan.kernels}: numbers may differ in their last bits.`,
    );
  return intact;
}

interface Making {
  readonly folder: string;
  readonly opened: RunModel;
  readonly manifest: PairsManifest;
  readonly tell: Tell;
  readonly sampler: FlowSampler;
  /** Throws where the folder is no longer ours. */
  readonly check: () => Promise<void>;
}

async function makeMissing(making: Making, { signal, onProgress }: MakePairsOptions): Promise<MadePairs> {
  const { folder, opened, tell, sampler, check } = making;
  const { count, perShard, sampling, shape, told } = making.manifest;
  const { conditioning } = opened;
  // Who learns from the pairs is told of each that it was never larger: so is who makes them.
  const isTold = told !== 'nothing' || conditioning.placement === true;
  const elements = sizeOf(shape);
  let { manifest } = making;
  const before = countMade(manifest);
  for (const index of missingOf(manifest)) {
    const first = index * perShard;
    const size = Math.min(perShard, count - first);
    const annotations = await tell(first, size);
    const done = countMade(manifest);
    const samples = await sampler.sample({
      ...sampling,
      sampler: sampling.sampler as AnySamplerName,
      count: size,
      firstSample: first,
      shape,
      ...(isTold && { conditions: conditioning.encode(annotations, shape) }),
      ...(signal && { signal }),
      onProgress: (part, total) => onProgress?.(done + Math.floor((size * part) / total), count),
    });
    const draw = { seed: sampling.seed, stream: streams.sampling, step: 0, firstSample: first };
    const noise = Float32Array.from(philoxNormal({ ...draw, samples: size, elements }));
    await check();
    manifest = await putShard(folder, manifest, index, { noise, samples, annotations });
    onProgress?.(countMade(manifest), count);
  }
  return { folder, manifest, made: countMade(manifest) - before };
}
