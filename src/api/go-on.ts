// A run from its last checkpoint on: one that was stopped, or whose device was lost.
import { join } from 'node:path';
import type { ConfigInput, RunConfig } from '../config/config.ts';
import { resolveConfig } from '../config/resolve-config.ts';
import { dataOf } from '../known/data-record.ts';
import { configAt } from '../known/stage-of.ts';
import { changesSince, pastOf } from '../known/trained-with.ts';
import type { SavedCheckpoint } from '../runs/checkpoint.ts';
import { counted } from '../tensor/counted.ts';
import { runError } from '../tensor/errors.ts';
import type { TrainResult } from '../train/metrics.ts';
import { shardsForRanks } from '../train/ranks/share.ts';
import type { RunOptions } from './parts.ts';
import { checkSettings } from './ranks/alike.ts';
import type { RunPlace } from './ranks/place.ts';
import type { RunDevice } from './recover.ts';
import { trainStages } from './train-stages.ts';

/** Where a run's settings are. */
export function configFile(run: string): string {
  return join(run, 'config.json');
}

/** @param checkpoint the run's last one; without, it begins again. Throws as `resume` does */
export async function goOn(
  place: RunPlace,
  checkpoint: SavedCheckpoint | undefined,
  device: RunDevice,
  options: RunOptions,
): Promise<TrainResult> {
  const { communicator, onNotice } = options;
  const file = configFile(place.path);
  const config = withShards(resolveConfig(place.record.config as ConfigInput, { origin: file }), options);
  if (checkpoint?.step === 0) describeBeginning(place.path, config, checkpoint, options);
  return device.with(config, async (backend) => {
    if (communicator) await checkSettings(communicator, config, backend, onNotice);
    if (checkpoint)
      for (const change of changesSince(checkpoint, configAt(config, checkpoint), backend, file))
        onNotice?.(change);
    return trainStages({ config, backend, options, checkpoint, place: async () => place });
  });
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
