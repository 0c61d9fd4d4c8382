// What files of settings know of the data that a run was trained on.
import { basename, dirname, join } from 'node:path';
import { type SavedCheckpoint, listCheckpoints, readCheckpointState, stepName } from '../runs/checkpoint.ts';
import { parseJsonObject } from '../formats/json.ts';
import { readRegular } from '../host/regular-file.ts';
import { checkpointFolder } from '../runs/run-folder.ts';

/** As much of a checkpoint as data are compared with. */
export type KnownData = Pick<SavedCheckpoint, 'path' | 'step' | 'state'>;

/**
 * What a file that `rectiflow repro` wrote says of the data of its run; undefined for other files, and recipes.
 * @param target as `loadConfig` takes it, which says what is wrong with a file that cannot be read
 */
export async function dataOfReproduction(target: string): Promise<KnownData | undefined> {
  if (!target.endsWith('.json')) return undefined;
  const bytes = await readRegular(target).catch(() => undefined);
  const record = bytes && parseJsonObject(bytes, target, 'Correct the file');
  if (record?.['trainedOn'] === undefined) return undefined;
  return { path: target, step: 0, state: { data: record['trainedOn'] } };
}

/**
 * What the newest checkpoint of a run that can be read knows, whether or not its tensors are intact; undefined where there is none.
 * @param run its folder, or one that is none
 */
export async function knownToRun(run: string): Promise<KnownData | undefined> {
  const folder = checkpointFolder(run);
  for (const step of (await listCheckpoints(folder)).toReversed()) {
    const state = await readCheckpointState(join(folder, stepName(step))).catch(() => undefined);
    if (state) return state;
  }
  return undefined;
}

/** As `dataOfReproduction`, and as `knownToRun` for the config.json of a run. */
export async function dataOfRecord(target: string): Promise<KnownData | undefined> {
  const isConfig = basename(target) === 'config.json';
  return (isConfig ? await knownToRun(dirname(target)) : undefined) ?? dataOfReproduction(target);
}
