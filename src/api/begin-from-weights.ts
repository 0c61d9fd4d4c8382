// A run that begins with weights which another training made. It has a checkpoint before its first step, of step 0: it can be sampled
// from at once, and `resume` trains it.
import { rm } from 'node:fs/promises';
import type { RunConfig } from '../config/config.ts';
import { machineMemory } from '../host/machine-memory.ts';
import type { DataRecord } from '../train/data-record.ts';
import { type BeginningWeights, firstCheckpoint } from '../train/first-checkpoint.ts';
import type { Past } from '../known/trained-with.ts';
import type { Module } from '../nn/module.ts';
import { type OwnModel, createSampleModel } from '../train/create-model.ts';
import type { OwnFlow } from '../train/objective.ts';
import { planTraining, withMicroBatch } from '../train/plan-training.ts';
import { planStages } from '../runner/stages.ts';
import type { ModelConfig } from '../train/settings.ts';
import { type RunOptions, keepTokenizer, withBackend } from './parts.ts';
import { createRun } from './create-run.ts';
import type { ReadAutoencoder } from './autoencoder.ts';
import { copyAutoencoder, keepAutoencoder, keptAutoencoder } from './run-autoencoder.ts';

export interface Beginning {
  /** Resolved, as `settled` makes it. */
  readonly config: RunConfig;
  /** What has the weights as its parameters. */
  readonly model: Pick<Module, 'parameters'>;
  readonly weights: BeginningWeights;
  /** What the weights know of the data that they were trained on. */
  readonly data: DataRecord;
  /** Where they are from. */
  readonly past: Past;
  /** What the state of the checkpoint holds beside that. */
  readonly state?: Readonly<Record<string, unknown>> | undefined;
  /** Of a model of latents: what the run keeps to make pictures of them. */
  readonly autoencoder?: ReadAutoencoder | undefined;
  /** The model's settings with its tokenizer where it is found now; by default those of the config. */
  readonly captions?: ModelConfig | undefined;
}

/**
 * Makes the folder of the run, `runs/<name>`, or `runs/<name>-2`, ... where that is taken, with its checkpoint of step 0.
 * @returns the folder
 * @throws RectiflowError when it cannot be written; nothing of it is left then
 */
export async function beginFromWeights(
  { config, model, weights, data, past, state, captions, autoencoder }: Beginning,
  { runs = 'runs' }: { readonly runs?: string | undefined } = {},
): Promise<string> {
  const folder = await createRun(runs, config);
  const checkpoint = firstCheckpoint({ config, model, weights, data, state: { ...past, ...state } });
  try {
    await keepTokenizer(captions ?? config.model, folder.path);
    const kept = past.begunFrom && keptAutoencoder(past.begunFrom.run);
    if (autoencoder) await keepAutoencoder(autoencoder, folder.path);
    else if (kept) await copyAutoencoder(kept, folder.path);
    await folder.save(checkpoint, config.train);
  } catch (error) {
    await rm(folder.path, { recursive: true, force: true });
    throw error;
  } finally {
    await folder.close();
  }
  return folder.path;
}

/**
 * A resolved config with what `auto` stands for on this machine, so that it means the same when the run is resumed. Whoever brings
 * averages sets ema.ramp to false: a ramp would forget them.
 */
export async function settled(
  resolved: RunConfig,
  options: OwnFlow & OwnModel & Pick<RunOptions, 'backend' | 'onNotice'> = {},
): Promise<RunConfig> {
  return withBackend(resolved, options, async (backend) => {
    const precise = { ...resolved, train: { ...resolved.train, precision: backend.precision } };
    const { objective, timeSampler } = options;
    const known = { backend, source: { count: 0 }, objective, timeSampler };
    if (precise.stages.length > 0) return planStages(precise, known);
    if (precise.train.microBatch !== 'auto') return precise;
    const model = createSampleModel(precise.model, undefined, options);
    return withMicroBatch(precise, planTraining({ ...known, config: precise, model }, machineMemory));
  });
}
