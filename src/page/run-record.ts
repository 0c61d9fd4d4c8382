// config.json of a run that is shown.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CONFIG } from '../kept/layout.ts';
import type { RunRecord } from '../kept/record.ts';
import { readRun } from '../runs/run-folder.ts';
import { fileError } from '../tensor/errors.ts';

/**
 * @param run the path of its folder
 * @throws RectiflowError where the file is damaged or missing: the folder is that of a run all the same
 */
export async function recordOf(run: string): Promise<RunRecord> {
  const file = join(run, CONFIG);
  if (await isThere(file)) return readRun(run);
  throw fileError(file, 'is missing', 'Restore it from a backup');
}

export function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
