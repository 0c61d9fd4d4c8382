import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stepName } from '../runs/checkpoint.ts';
import { describeNonFinite } from '../tensor/finite.ts';
import { readRun } from '../runs/run-folder.ts';
import { writeSafetensors } from '../formats/safetensors-file.ts';
import { fileError, runError, systemProblem } from '../tensor/errors.ts';
import type { ConfigInput } from '../config/config.ts';
import { resolveConfig } from '../config/resolve-config.ts';
import { dataOf } from '../known/data-record.ts';
import { configAt } from '../known/stage-of.ts';
import { averagesFolder } from '../runs/averages-file.ts';
import { findCheckpoint } from './run-sampler.ts';
import { averageOf } from './weights.ts';

export interface AverageOptions {
  /** Of the power-function average: the deviation of its profile as a share of the training until the checkpoint. */
  readonly length: number;
  /** The file to write, which must not be there yet; by default one in the run's folder `averages`. */
  readonly to?: string | undefined;
  /** The step of a checkpoint; the last that is intact by default. */
  readonly checkpoint?: number | undefined;
  readonly onNotice?: (text: string) => void;
}

export interface WrittenAverage {
  readonly path: string;
  readonly step: number;
  /** The norm of the difference of the profiles, made and wanted, over the norm of the wanted one. */
  readonly error: number;
}

/**
 * Makes the average of a length that training did not keep (Karras et al. 2024), and writes it with the names of a checkpoint's
 * ema.safetensors.
 * @param run its folder
 * @throws RectiflowError when the run keeps no power-function averages or too few for the length, or the file is there or cannot be written
 */
export async function averageRun(run: string, options: AverageOptions): Promise<WrittenAverage> {
  const { length, onNotice } = options;
  const recorded = (await readRun(run)).config as ConfigInput;
  const saved = await findCheckpoint(run, options);
  const { model } = configAt(resolveConfig(recorded, { origin: join(run, 'config.json') }), saved);
  const path =
    options.to ?? join(averagesFolder(run), `length-${length}-${stepName(saved.step)}.safetensors`);
  if (existsSync(path)) throw fileError(path, 'is there already', 'Give another name, or remove it');
  const { tensors, error } = await averageOf(run, saved, length, onNotice);
  const metadata = { format: 'pt', model: JSON.stringify(model), data: JSON.stringify(dataOf(saved)) };
  const problem = await describeNonFinite(tensors);
  if (problem !== undefined)
    throw runError(run, `this average is of no use: ${problem}`, 'Give an earlier --checkpoint');
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeSafetensors(path, tensors, { ...metadata, emaLength: String(length) });
  } catch (failure) {
    throw fileError(
      path,
      `cannot be written: ${systemProblem(failure)}`,
      'Check the path and the disk',
      failure,
    );
  }
  return { path, step: saved.step, error };
}
