// What files of settings know of the data that a run was trained on.
import { basename, dirname } from 'node:path';
import { type SavedCheckpoint, latestCheckpoint, listCheckpoints } from '../checkpoint/checkpoint.ts';
import { parseJsonObject } from '../checkpoint/json.ts';
import { readRegular } from '../checkpoint/regular-file.ts';
import { checkpointFolder } from '../checkpoint/run-folder.ts';

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
 * The same, and for the config.json of a run what its last checkpoint knows.
 * @throws RectiflowError where none of its checkpoints is intact
 */
export async function dataOfRecord(target: string): Promise<KnownData | undefined> {
  const checkpoints = checkpointFolder(dirname(target));
  if (basename(target) === 'config.json' && (await listCheckpoints(checkpoints)).length > 0)
    return latestCheckpoint(checkpoints);
  return dataOfReproduction(target);
}
