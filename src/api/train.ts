import { join } from 'node:path';
import { type SavedCheckpoint, listCheckpoints } from '../runs/checkpoint.ts';
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
import { createRun } from './create-run.ts';
import { type RunOptions, keepTokenizer, withBackend, withSource } from './parts.ts';
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
  options: TrainOptions = {},
): Promise<TrainResult> {
  const { runs = 'runs' } = options;
  const parsed = ParsedConfig.of(input, options.origin);
  const { onBadSample } = parsed.reading.loader;
  return withSource(parsed.data, { ...options, onBadSample }, async (source) => {
    const config = parsed.resolve(source);
    checkCredentials(config.sinks, { sendKeysTo: options.sendKeysTo });
    return withBackend(config, options, async (backend) => {
      // `auto` must mean the same when the run is resumed, on another machine too.
      const precise = { ...config, train: { ...config.train, precision: backend.precision } };
      const planned = planStages(precise, { ...options, backend, source });
      const opened = { config: planned, source };
      let folder: RunFolder | undefined;
      const start = async (first: RunConfig): Promise<RunFolder> => {
        if (folder) return folder;
        folder = await createRun(runs, planned.stages.length > 0 ? planned : first);
        await keepTokenizer(planned.model, folder.path);
        return folder;
      };
      try {
        const run = { config: planned, backend, options, known: options.known, opened, folder: start };
        return await trainStages(run);
      } catch (error) {
        await folder?.discardUnused().catch(() => {});
        throw error;
      } finally {
        await folder?.close();
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
export async function resume(run: string, options: RunOptions = {}): Promise<TrainResult> {
  const folder = await RunFolder.open(run, { signal: options.signal, onNotice: options.onNotice });
  const file = join(run, 'config.json');
  try {
    const config = resolveConfig(folder.record.config as ConfigInput, { origin: file });
    const isNew = (await listCheckpoints(folder.checkpoints)).length === 0;
    const checkpoint = isNew
      ? undefined
      : await folder.latest((damage) => options.onNotice?.(damage.message));
    if (isNew)
      options.onNotice?.(`${run}: no checkpoint was saved yet, so this begins again at the first step.`);
    if (isNew && isEdited(folder.record))
      options.onNotice?.(`${file} is not as it was when the run began: the config was edited, or damaged.`);
    if (checkpoint?.step === 0) describeBeginning(run, config, checkpoint, options);
    return await withBackend(config, options, async (backend) => {
      if (checkpoint)
        for (const change of changesSince(checkpoint, configAt(config, checkpoint), backend, file))
          options.onNotice?.(change);
      return trainStages({ config, backend, options, checkpoint, folder: async () => folder });
    });
  } finally {
    await folder.close();
  }
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
