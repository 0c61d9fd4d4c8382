// Copies of the power-function averages that a run stores on its way: run/averages/step-N.safetensors.
//
// They are float16: an average is read to be added to others, where its rounding, 2^-12 of a weight, is far below what a profile is
// missed by, and half the size allows twice as many. Each tensor has its SHA-256 in the header.
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesOf } from '../formats/safetensors.ts';
import { fileError, systemProblem } from '../tensor/errors.ts';
import type { StoredTensor } from '../tensor/stored-tensor.ts';
import { stepName } from './checkpoint.ts';

const STORED = /^step-(\d{7,})\.safetensors$/;

/** The folder of a run's stored averages. */
export function averagesFolder(run: string): string {
  return join(run, 'averages');
}

/** Where those of a step are. */
export function averagesPath(run: string, step: number): string {
  return join(averagesFolder(run), `${stepName(step)}.safetensors`);
}

/** The step that a file in that folder is of; undefined of another one. */
export function stepOfStored(name: string): number | undefined {
  const [, step] = STORED.exec(name) ?? [];
  return step === undefined ? undefined : Number(step);
}

/** What is in a folder, which need not be there. */
export async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw fileError(folder, systemProblem(error), 'Check the path', error);
  });
}

export function digestKey(tensor: string): string {
  return `sha256:${tensor}`;
}

/** Of the values and of what they mean nothing without. @param updates as the header has it */
export function digestOfAverage(tensor: string, updates: string, { data }: StoredTensor): string {
  return createHash('sha256').update(`${tensor}\n${updates}\n`).update(bytesOf(data)).digest('hex');
}
