import { join } from 'node:path';
import type { TuningStore } from '../backends/backend.ts';
import { readJsonFile, writeJsonFile } from '../host/json-file.ts';

/** The file of a run's folder that says how its GPU computes: with it the run goes on to the bit. */
const file = 'tuning.json';

/** @param run its folder @returns what a backend keeps its choices in, or of a run that is only looked at reads them from */
export function tuningOfRun(
  run: string,
  { isReadOnly = false }: { readonly isReadOnly?: boolean } = {},
): TuningStore {
  const name = join(run, file);
  const store = { name, read: () => readJsonFile(name) };
  return isReadOnly ? store : { ...store, write: (record) => writeJsonFile(name, record) };
}
