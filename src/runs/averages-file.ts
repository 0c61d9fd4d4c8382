// The folder of a run's stored averages.
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { digestedOfAverage } from '../kept/averages.ts';
import { AVERAGES, stepName } from '../kept/layout.ts';
import { fileError, systemProblem } from '../tensor/errors.ts';
import type { StoredTensor } from '../tensor/stored-tensor.ts';

export function averagesFolder(run: string): string {
  return join(run, AVERAGES);
}

/** Where those of a step are. */
export function averagesPath(run: string, step: number): string {
  return join(averagesFolder(run), `${stepName(step)}.safetensors`);
}

/** What is in a folder, which need not be there. */
export async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw fileError(folder, systemProblem(error), 'Check the path', error);
  });
}

/** Of the values and of what they mean nothing without. @param updates as the header has it */
export function digestOfAverage(tensor: string, updates: string, stored: StoredTensor): string {
  const hash = createHash('sha256');
  for (const part of digestedOfAverage(tensor, updates, stored)) hash.update(part);
  return hash.digest('hex');
}
