import { join } from 'node:path';
import type { SavedCheckpoint } from '../runs/checkpoint.ts';
import { RunFolder, isEdited } from '../runs/run-folder.ts';
import { checkCredentials } from '../sinks/secrets.ts';
import { runError } from '../tensor/errors.ts';
import type { ConfigInput, RunConfig } from '../config/config.ts';
import { dataOf } from '../known/data-record.ts';
import type { KnownData } from '../known/known-data.ts';
import { configAt } from '../known/stage-of.ts';
import { planStages } from '../runner/stages.ts';
import { ParsedConfig, resolveConfig } from '../config/resolve-config.ts';
import { changesSince, pastOf } from '../known/trained-with.ts';
import type { TrainResult } from '../train/metrics.ts';
import { shardsForRanks } from '../train/ranks/share.ts';
import { counted } from '../tensor/counted.ts';
import { createRun } from './create-run.ts';
import { type RunOptions, keepTokenizer, withBackend, withSource } from './parts.ts';
import { checkSettings } from './ranks/alike.ts';
import { ofRank } from './ranks/of-rank.ts';
import { type RunPlace, openPlace } from './ranks/place.ts';
import { trainStages } from './train-stages.ts';

export interface TrainOptions extends RunOptions {
  /** Where the run's folder is made; `runs` by default. */
  readonly runs?: string;
  /** What a run that this one is to repeat knew of its data; they are compared as those of a checkpoint are. */
  readonly known?: KnownData | undefined;
  /** How errors call the config: a file, a recipe. */
  readonly origin?: string;
}

/**
 * Trains a new run in a folder of its own: `runs/<name>`, or `runs/<name>-2`, ... where that is taken.
 * @throws RectiflowError when the config is wrong, the data are not there, or the loss is no longer a number
 */
export async function train(
  input: ConfigInput | ParsedConfig,
  asked: TrainOptions = {},
): Promise<TrainResult> {
  const { runs = 'runs' } = asked;
  const options = ofRank(asked);
  const { communicator } = options;
  const given = ParsedConfig.of(input, options.origin);
  const parsed = asked.communicator ? given.forRanks(asked.communicator.ranks) : given;
  const { onBadSample } = parsed.reading.loader;
  return withSource(parsed.data, { ...options, onBadSample }, async (source) => {
    const config = parsed.resolve(source);
    checkCredentials(config.sinks, { sendKeysTo: options.sendKeysTo });
    return withBackend(config, options, async (backend) => {
      // `auto` must mean the same when the run is resumed, on another machine too.
      const precise = { ...config, train: { ...config.train, precision: backend.precision } };
      if (communicator) await checkSettings(communicator, precise, backend, options.onNotice);
      const planned = await planStages(precise, { ...options, backend, source });
      const opened = { config: planned, source };
      let place: RunPlace | undefined;
      const start = async (first: RunConfig): Promise<RunPlace> => {
        const make = async (): Promise<RunFolder> => {
          const folder = await createRun(runs, planned.stages.length > 0 ? planned : first);
          try {
            await keepTokenizer(planned.model, folder.path);
            return folder;
          } catch (error) {
            await folder.discardUnused().catch(() => {});
            await folder.close();
            throw error;
          }
        };
        return (place ??= await openPlace(make, communicator));
      };
      try {
        const run = { config: planned, backend, options, known: options.known, opened, place: start };
        return await trainStages(run);
      } catch (error) {
        await place?.folder?.discardUnused().catch(() => {});
        throw error;
      } finally {
        await place?.close();
      }
    });
  });
}

/**
 * Goes on with a run where its last intact checkpoint left it, to the bit as if it had not stopped.
 * @param run its folder
 * @throws RectiflowError when it is no run, another process works on it, no checkpoint is intact, or the data are not those that
 * it was trained on
 */
export async function resume(run: string, asked: RunOptions = {}): Promise<TrainResult> {
  const options = ofRank(asked);
  const { communicator, signal, onNotice } = options;
  const place = await openPlace(() => RunFolder.open(run, { signal, onNotice }), communicator);
  const file = join(run, 'config.json');
  try {
    const config = withShards(resolveConfig(place.record.config as ConfigInput, { origin: file }), options);
    const { isNew, store } = place;
    const checkpoint = isNew ? undefined : await store.latest((damage) => onNotice?.(damage.message));
    if (isNew) onNotice?.(`${run}: no checkpoint was saved yet, so this begins again at the first step.`);
    if (isNew && isEdited(place.record))
      onNotice?.(`${file} is not as it was when the run began: the config was edited, or damaged.`);
    if (checkpoint?.step === 0) describeBeginning(run, config, checkpoint, options);
    return await withBackend(config, options, async (backend) => {
      if (communicator) await checkSettings(communicator, config, backend, onNotice);
      if (checkpoint)
        for (const change of changesSince(checkpoint, configAt(config, checkpoint), backend, file))
          onNotice?.(change);
      return trainStages({ config, backend, options, checkpoint, place: async () => place });
    });
  } finally {
    await place.close();
  }
}

/** A run that began in one process is divided for ranks from here on. */
function withShards(config: RunConfig, { communicator, onNotice }: RunOptions): RunConfig {
  if (communicator === undefined || config.train.shards !== undefined) return config;
  const batches = [config.train.batchSize, ...config.stages.map(({ batchSize }) => batchSize)];
  const shards = shardsForRanks(batches, communicator.ranks);
  onNotice?.(
    `the run began without ranks: its steps are divided into ${counted(shards, 'shard')} from here on, and numbers differ in their last ` +
      'digits from those of one process.',
  );
  return { ...config, train: { ...config.train, shards } };
}

/** A run of weights from elsewhere has a checkpoint before its first step. */
function describeBeginning(
  run: string,
  { data }: RunConfig,
  checkpoint: SavedCheckpoint,
  { source, onNotice }: RunOptions,
): void {
  const { begunFrom } = pastOf(checkpoint);
  if (begunFrom) {
    const { run: from, step, by } = begunFrom;
    onNotice?.(`${run}: training begins with the weights that ${by} made of ${from}, step ${step}.`);
    return;
  }
  if (data.source === 'custom' && source === undefined) {
    const advice = 'Import the weights again with --config, a recipe or a file that names data';
    throw runError(run, 'was imported without data to train on', advice);
  }
  onNotice?.(
    `${run}: training begins with the imported weights; the moments of the optimizer start at zero.`,
  );
  const { classNames, told, record } = dataOf(checkpoint);
  if (classNames === undefined && told === undefined && record === undefined)
    onNotice?.(
      `${run}: nothing tells what data the weights were trained on: classes and values are taken as those of the data now.`,
    );
}
