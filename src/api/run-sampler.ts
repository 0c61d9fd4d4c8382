// The model of a run as a checkpoint has it, and what makes samples with its weights.
import { join } from 'node:path';
import type { Backend } from '../backends/backend.ts';
import type { ConfigInput, RunConfig } from '../config/config.ts';
import { resolveConfig } from '../config/resolve-config.ts';
import type { Objective } from '../flow/objective.ts';
import { FlowSampler } from '../flow/sample.ts';
import { captionEncoderOf, checkEncoder } from '../known/caption-encoder.ts';
import { type DataRecord, dataOf } from '../known/data-record.ts';
import { configAfter } from '../known/config-after.ts';
import type { VelocityModel } from '../models/model.ts';
import {
  type SavedCheckpoint,
  latestCheckpoint,
  listCheckpoints,
  stepName,
  verifyCheckpoint,
} from '../runs/checkpoint.ts';
import { checkpointFolder, readRun } from '../runs/run-folder.ts';
import { runError } from '../tensor/errors.ts';
import { disposeAll } from '../tensor/lifetime.ts';
import { openConditioning } from '../text/conditioning.ts';
import type { Conditioning } from '../train/conditioning.ts';
import { isVelocity } from '../models/model.ts';
import { type OwnModel, createSampleModel } from '../train/create-model.ts';
import { objectiveOf } from '../train/objective.ts';
import { loadWeights } from '../train/restore.ts';
import { type RunOptions, asInRun, withBackend, withKeptTokenizer } from './parts.ts';
import { type WeightsChoice, readWeights } from './weights.ts';

/** Which model of a run. */
export interface RunModelChoice extends OwnModel {
  /** The step of a checkpoint; the last that is intact by default. */
  readonly checkpoint?: number | undefined;
  /** Needed where the run's flow.objective is custom. */
  readonly objective?: Objective | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
}

export interface RunModel {
  /** The run's folder. */
  readonly run: string;
  readonly config: RunConfig;
  readonly saved: SavedCheckpoint;
  /** What the model knows of the data it was trained on. */
  readonly data: DataRecord;
  readonly objective: Objective;
  readonly conditioning: Conditioning;
  readonly model: VelocityModel;
}

/**
 * @param run its folder
 * @throws RectiflowError when there is no such run or checkpoint, or it is damaged
 */
export async function openRunModel(run: string, options: RunModelChoice): Promise<RunModel> {
  const { config: recorded } = await readRun(run);
  const whole = resolveConfig(recorded as ConfigInput, { origin: join(run, 'config.json') });
  const saved = await findCheckpoint(run, options);
  const config = await configAfter(run, whole, saved);
  const objective = objectiveOf(config, { objective: options.objective });
  const data = dataOf(saved);
  const captions = await withKeptTokenizer(config.model, run);
  const conditioning = await openConditioning(captions, data.tokenizer);
  checkEncoder(saved.path, data.captionEncoder, await captionEncoderOf(captions, conditioning));
  const model = createSampleModel(config.model, conditioning.text, options);
  if (!isVelocity(model)) throw makesNothing(run, config);
  return { run, config, saved, data, objective, conditioning, model };
}

/** Of a model that samplers know nothing of. */
function makesNothing(run: string, { model }: RunConfig): Error {
  const problem = `its model is an ${model.kind}, which makes nothing out of noise`;
  const advice = `Encode pictures with it: rectiflow data encode <config> --autoencoder ${run} --out latents`;
  return runError(run, problem, `${advice}. Then train a model on the latents`);
}

/** Makes samples with weights of the checkpoint for as long as `use` takes. */
export async function withRunSampler<T>(
  { run, config, saved, model, objective }: RunModel,
  options: WeightsChoice & Pick<RunOptions, 'backend' | 'onNotice'>,
  use: (sampler: FlowSampler, backend: Backend) => Promise<T>,
): Promise<T> {
  return withBackend(config, options, async (backend) => {
    const weights = await readWeights(run, saved, options);
    const buffers = await loadWeights(backend, model, weights, saved.path);
    const sampler = new FlowSampler(backend, model, buffers, { objective });
    try {
      return await asInRun(backend, run, () => use(sampler, backend));
    } finally {
      await disposeAll([sampler, ...buffers.values()]);
    }
  });
}

/** The checkpoint that is asked for, or the last. */
export async function findCheckpoint(
  run: string,
  options: Pick<RunModelChoice, 'checkpoint' | 'onNotice'>,
): Promise<SavedCheckpoint> {
  const { checkpoint, onNotice } = options;
  const folder = checkpointFolder(run);
  if (checkpoint === undefined) return latestCheckpoint(folder, (damage) => onNotice?.(damage.message));
  const steps = await listCheckpoints(folder);
  if (steps.includes(checkpoint)) return verifyCheckpoint(join(folder, stepName(checkpoint)));
  const known = steps.length === 0 ? 'There is none yet' : `There is one of step ${steps.join(', ')}`;
  throw runError(run, `there is no checkpoint of step ${checkpoint}`, known);
}
