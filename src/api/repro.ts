import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { listCheckpoints, stepName, verifyCheckpoint } from '../runs/checkpoint.ts';
import { installedDependencies } from '../host/dependencies.ts';
import type { FileDigest } from '../tensor/file-digest.ts';
import { describeMachine, version } from '../host/machine.ts';
import type { Machine } from '../kept/machine.ts';
import { readMetrics } from '../runs/metrics-log.ts';
import type { MetricsRecord } from '../kept/metrics-lines.ts';
import { checkpointFolder, readRun } from '../runs/run-folder.ts';
import { type DataDigest, digestSource } from '../check/digest.ts';
import { readSteering } from '../runs/steering-events.ts';
import { changesOf } from '../steering/course.ts';
import type { SteeringEvent } from '../steering/event.ts';
import { RectiflowError } from '../tensor/errors.ts';
import { compareData } from '../known/compare-data.ts';
import type { ConfigInput, RunConfig } from '../config/config.ts';
import { type DataRecord, dataOf } from '../known/data-record.ts';
import { configAt } from '../known/stage-of.ts';
import { locatedData } from '../sources/in-run.ts';
import { type KnownData, knownToRun } from '../known/known-data.ts';
import { resolveConfig } from '../config/resolve-config.ts';
import { type RunOptions, withSource } from './parts.ts';

/** A machine without its name, which is nobody's business. */
type AnonymousMachine = Omit<Machine, 'host'>;

/** A checkpoint of a run, by its step: its files with their digests, or that it is damaged. */
export type CheckpointDigests = { readonly step: number } & (
  | { readonly files: Readonly<Record<string, FileDigest>> }
  | { readonly damaged: true }
);

/** All that is needed to train a run anew, and to tell whether it became the same. Plain JSON. */
export interface Reproduction {
  readonly run: string;
  /** ISO 8601, when the run began. */
  readonly created: string;
  /** The whole config; a file with this record can be trained as it is: `rectiflow train <file>`. */
  readonly config: RunConfig;
  /** All that is random in a run is a function of it. */
  readonly seed: number;
  readonly versions: {
    /** That began the run. */
    readonly rectiflow: string;
    readonly node: string;
    /** As they are installed where this record was made. */
    readonly dependencies: Readonly<Record<string, string>>;
  };
  /** Where the run began, and where this record was made, with the version of rectiflow there. */
  readonly machine: AnonymousMachine;
  readonly recordedOn: AnonymousMachine & { readonly rectiflow: string };
  /** What was changed while it trained: changed at the same steps where it is trained anew from this record. */
  readonly steering: readonly SteeringEvent[];
  /** null where they cannot be read now. */
  readonly data: DataDigest | null;
  /** What the run knew of its data when it was last saved, to be compared with those of a run that repeats it; null before that. */
  readonly trainedOn: DataRecord | null;
  readonly checkpoints: readonly CheckpointDigests[];
  /** The last line of the log. */
  readonly lastLogged: MetricsRecord | undefined;
  /** The settings that are absolute paths, which say where somebody's files lie; nothing else in here does. */
  readonly absolutePaths: readonly string[];
}

export interface ReproductionOptions extends Pick<RunOptions, 'signal' | 'source' | 'onNotice'> {
  /** Hears of samples that are digested, of those that will be. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Records what a run was made of and what became of it. Of data, at most 10,000 samples are read.
 * @param run its folder
 * @throws RectiflowError when it is no run, or its config.json is damaged; damaged checkpoints and data that are not there are
 * noted
 */
export async function recordReproduction(
  run: string,
  options: ReproductionOptions = {},
): Promise<Reproduction> {
  const record = await readRun(run);
  const recorded = resolveConfig(record.config as ConfigInput, { origin: join(run, 'config.json') });
  // The record lies elsewhere than the run.
  const config = { ...recorded, data: locatedData(recorded.data, run) };
  const log = join(run, 'metrics.jsonl');
  const { records } = existsSync(log) ? await readMetrics(log) : { records: [] };
  const { node } = record.machine;
  const saved = await knownToRun(run);
  return {
    run: basename(resolve(run)),
    created: record.created,
    config,
    seed: config.seed,
    versions: { rectiflow: record.version, node, dependencies: installedDependencies() },
    machine: withoutHost(record.machine),
    recordedOn: { ...withoutHost(describeMachine()), rectiflow: version },
    steering: changesOf(await readSteering(run)),
    data: await digestData(saved ? configAt(config, saved) : config, saved, options),
    trainedOn: saved ? repeatable(dataOf(saved)) : null,
    checkpoints: await digestCheckpoints(run, options),
    lastLogged: records.at(-1),
    absolutePaths: absolutePathsOf(config),
  };
}

function withoutHost({ platform, arch, node, cpu, cores, memory }: Machine): AnonymousMachine {
  return { platform, arch, node, cpu, cores, memory };
}

/** A tokenizer is learnt again; what was accepted is what the record says. */
function repeatable(record: DataRecord): DataRecord {
  const { tokenizer: _, accepted: __, ...known } = record;
  return known;
}

/** Of the data as the run knows them. */
async function digestData(
  { data, model, seed, loader }: RunConfig,
  known: KnownData | undefined,
  options: ReproductionOptions,
): Promise<DataDigest | null> {
  const { signal, onProgress, onNotice } = options;
  try {
    return await withSource(data, { ...options, ...loader, known }, async (given) => {
      const { source, notices } = await compareData(given, { checkpoint: known, model });
      for (const text of notices) onNotice?.(text);
      return digestSource(source, { seed, signal, onProgress });
    });
  } catch (error) {
    if (!(error instanceof RectiflowError) || error.code === 'internal') throw error;
    onNotice?.(`there is no digest of the data: ${error.message}`);
    return null;
  }
}

async function digestCheckpoints(
  run: string,
  { onNotice }: ReproductionOptions,
): Promise<CheckpointDigests[]> {
  const folder = checkpointFolder(run);
  const digests: CheckpointDigests[] = [];
  for (const step of await listCheckpoints(folder)) {
    try {
      const { files } = await verifyCheckpoint(join(folder, stepName(step)));
      digests.push({ step, files });
    } catch (error) {
      if (!(error instanceof RectiflowError)) throw error;
      onNotice?.(error.message);
      digests.push({ step, damaged: true });
    }
  }
  return digests;
}

/** `data.path` for each setting that is an absolute path. */
function absolutePathsOf(value: unknown, name = ''): string[] {
  if (typeof value === 'string') return /^([/\\~]|[A-Za-z]:[/\\])/.test(value) ? [name] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    absolutePathsOf(inner, name === '' ? key : `${name}.${key}`),
  );
}
