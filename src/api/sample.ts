import { join } from 'node:path';
import type { Backend } from '../backends/backend.ts';
import {
  type SavedCheckpoint,
  latestCheckpoint,
  listCheckpoints,
  stepName,
  verifyCheckpoint,
} from '../checkpoint/checkpoint.ts';
import { checkpointFolder, readRun } from '../checkpoint/run-folder.ts';
import type { ImageShape } from '../data/source.ts';
import { FlowSampler } from '../flow/sample.ts';
import type { SamplerName } from '../flow/samplers.ts';
import { DiT } from '../models/dit.ts';
import { runError, valueError } from '../tensor/errors.ts';
import type { ConfigInput } from '../train/config.ts';
import { resolveConfig } from '../train/resolve-config.ts';
import { loadWeights } from '../train/snapshot.ts';
import { backendFor } from './parts.ts';

/** What is left out is as the run's config says. */
export interface SampleRunOptions {
  /** The classes to sample; all rows of the run's grids by default. Not for a model without classes. */
  readonly labels?: readonly number[] | undefined;
  /** Samples for each label, or in all for a model without classes; 8 by default. */
  readonly count?: number | undefined;
  /** Steps of the sampler, from noise to data. */
  readonly steps?: number | undefined;
  /** The scale of classifier-free guidance; 1: none. */
  readonly guidance?: number | undefined;
  readonly sampler?: SamplerName | undefined;
  /** The same seed gives the same samples; 0 by default. */
  readonly seed?: number | undefined;
  /** `ema`, the default: the average over the last steps; `model`: the weights of the step itself. */
  readonly weights?: 'ema' | 'model' | undefined;
  /** The step of a checkpoint; the last that is intact by default. */
  readonly checkpoint?: number | undefined;
  readonly backend?: Backend | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
  readonly onNotice?: (text: string) => void;
}

export interface Samples {
  /** [N, C, H, W] in about [-1, 1], row-major; those of one label stand together. */
  readonly images: Float32Array;
  /** [C, H, W] */
  readonly shape: ImageShape;
  /** One for each image; undefined for a model without classes. */
  readonly labels: readonly number[] | undefined;
  /** The checkpoint that they were made with. */
  readonly step: number;
}

/**
 * Makes samples with the weights of a run, which may still be training.
 * @param run its folder
 * @throws RectiflowError when there is no such run or checkpoint, it is damaged, or an option does not fit the model
 */
export async function sample(run: string, options: SampleRunOptions = {}): Promise<Samples> {
  const { config: recorded } = await readRun(run);
  const config = resolveConfig(recorded as ConfigInput, join(run, 'config.json'));
  const model = new DiT(config.model);
  const { count = 8, weights = 'ema', seed = 0, signal, onProgress } = options;
  const wanted = options.labels ?? config.sample.labels;
  checkLabels(wanted, model.classes);
  const labels = wanted.flatMap((label) => Array.from({ length: count }, () => label));
  const saved = await findCheckpoint(run, options);
  const backend = backendFor(config, options);
  const sampler = new FlowSampler(backend, model, await loadWeights(backend, model, saved, weights));
  const images = await sampler.sample({
    ...(wanted.length > 0 ? { labels, guidance: options.guidance ?? config.sample.guidance } : { count }),
    steps: options.steps ?? config.sample.steps,
    sampler: options.sampler ?? config.sample.sampler,
    seed,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
  return {
    images,
    shape: model.sampleShape,
    labels: wanted.length > 0 ? labels : undefined,
    step: saved.step,
  };
}

function checkLabels(labels: readonly number[], classes: number): void {
  const wrong = labels.find((label) => !Number.isInteger(label) || label < 0 || label >= classes);
  if (wrong === undefined) return;
  const wanted =
    classes === 0 ? 'left out: this model has no classes' : `classes of the model, from 0 to ${classes - 1}`;
  throw valueError('sample', 'labels', wanted, wrong);
}

async function findCheckpoint(run: string, options: SampleRunOptions): Promise<SavedCheckpoint> {
  const { checkpoint, onNotice } = options;
  const folder = checkpointFolder(run);
  if (checkpoint === undefined) return latestCheckpoint(folder, (damage) => onNotice?.(damage.message));
  const steps = await listCheckpoints(folder);
  if (steps.includes(checkpoint)) return verifyCheckpoint(join(folder, stepName(checkpoint)));
  const known = steps.length === 0 ? 'There is none yet' : `There is one of step ${steps.join(', ')}`;
  throw runError(run, `there is no checkpoint of step ${checkpoint}`, known);
}
