import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSafetensors } from '../formats/safetensors-file.ts';
import { syncDirectory } from '../host/durable.ts';
import { RectiflowError, fileError, systemProblem } from '../tensor/errors.ts';
import type { StoredTensor } from '../tensor/stored-tensor.ts';
import type { OpenTensors } from '../train/run-store.ts';
import { averagesMetadata, finiteValues, isTooLarge, storedAverage } from '../kept/averages.ts';
import { stepOfStored } from '../kept/layout.ts';
import { averagesFolder, averagesPath, digestOfAverage, namesIn } from './averages-file.ts';

const TEMPORARY = /\.tmp-\d+$/;

/** A file of averages that is being written. */
export interface AveragesFile {
  /** Where it will be. */
  readonly path: string;
  /** Where it is written first; nothing is there. */
  readonly temporary: string;
  /** Optimizer steps that the averages have seen. */
  readonly updates: number;
}

/**
 * Writes a file of averages, flushed to the disk.
 * @throws RectiflowError as `finiteValues` does, and as the operating system does where it cannot be written
 */
export type WriteAverages = (file: AveragesFile, averages: OpenTensors) => Promise<void>;

/**
 * Stores the power-function averages as a whole file, over what a future that the run has left may have stored.
 * @param updates optimizer steps that the averages have seen
 * @param averages by `averageTensor`
 * @param write how the file is written; by this process alone by default
 * @throws RectiflowError when it cannot be written; nothing of it is left then
 */
export async function storeAverages(
  run: string,
  step: number,
  updates: number,
  averages: OpenTensors,
  write: WriteAverages = writeAlone,
): Promise<string> {
  const path = averagesPath(run, step);
  const temporary = `${path}.tmp-${process.pid}`;
  try {
    // Not the run's folder: one that is gone must not come to life again.
    await mkdir(averagesFolder(run)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await rm(temporary, { force: true });
    await write({ path, temporary, updates }, averages);
    await rename(temporary, path);
    await syncDirectory(averagesFolder(run));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    if (error instanceof RectiflowError) throw error;
    const problem = `the averages of step ${step} cannot be stored: ${systemProblem(error)}`;
    throw fileError(path, problem, 'Free some space or check the disk', error);
  }
  return path;
}

const writeAlone: WriteAverages = async ({ path, temporary, updates }, averages) => {
  const tensors = new Map<string, StoredTensor>();
  const digests = new Map<string, string>();
  for (const tensor of averages.slots.keys()) {
    const read = await averages.read(tensor);
    const stored = storedAverage(read, isTooLarge(finiteValues(path, tensor, read)));
    tensors.set(tensor, stored);
    digests.set(tensor, digestOfAverage(tensor, String(updates), stored));
  }
  await writeSafetensors(temporary, tensors, averagesMetadata(updates, digests));
};

/** Clears what a crash left, and what was stored after `step`: it is of a future that the run has left. */
export async function dropLaterAverages(run: string, step: number): Promise<void> {
  for (const name of await namesIn(averagesFolder(run)))
    if (TEMPORARY.test(name) || (stepOfStored(name) ?? 0) > step)
      await rm(join(averagesFolder(run), name), { force: true });
}
