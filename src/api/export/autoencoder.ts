// The autoencoder that a run has learnt, for other systems.
import { type AutoencoderModel, isAutoencoder } from '../../models/autoencoder-model.ts';
import type { RunConfig } from '../../config/config.ts';
import { dataOfRun } from '../../known/data-of-run.ts';
import { internalError, valueError } from '../../tensor/errors.ts';
import { disposeAll } from '../../tensor/lifetime.ts';
import type { StoredTensors } from '../../tensor/stored-tensor.ts';
import { toFloat32 } from '../../tensor/to-float32.ts';
import { createSampleModel } from '../../train/create-model.ts';
import { loadWeights } from '../../train/restore.ts';
import { splitOf } from '../../train/training-data.ts';
import type { SavedCheckpoint } from '../../runs/checkpoint.ts';
import { writeAutoencoder } from '../autoencoder.ts';
import { measureScale, withScale } from '../own-autoencoder.ts';
import { withBackend, withSource } from '../parts.ts';
import type { ExportOptions } from './run.ts';

/** Of a run: a checkpoint, and those of its weights that are exported. */
export interface ExportedWeights {
  readonly saved: SavedCheckpoint;
  readonly stored: StoredTensors;
}

/**
 * Writes a folder as diffusers has it, config.json beside weights. Its scaling_factor is measured with these weights over pictures that the
 * run was trained on, which are read for that.
 * @param run its folder
 * @param config of the run
 * @param read gives what is written
 * @throws RectiflowError where another layout is asked for, the data cannot be read, or the folder cannot be written
 */
export async function exportAutoencoder(
  run: string,
  config: RunConfig,
  read: () => Promise<ExportedWeights>,
  { to, layout = 'diffusers', backend: own, source: given, onNotice }: ExportOptions,
): Promise<void> {
  if (layout !== 'diffusers')
    throw valueError('export', 'layout', 'diffusers: others have no form for an autoencoder', layout);
  const { saved, stored } = await read();
  const model = modelOf(config);
  const weights: StoredTensors = new Map(
    [...stored].map(([name, tensor]) => [
      name,
      { dtype: 'F32', shape: tensor.shape, data: toFloat32(tensor) },
    ]),
  );
  const told = onNotice && { onNotice };
  const options = { source: given, onBadSample: config.loader.onBadSample, known: saved, ...told };
  const scale = await withSource(dataOfRun(config, run), options, (all) =>
    withBackend(config, { backend: own, ...told }, async (backend) => {
      const buffers = await loadWeights(backend, model, weights, saved.path);
      const source = splitOf(config, all)?.trained ?? all;
      const { seed, loader } = config;
      try {
        return await measureScale({ backend, model, weights: buffers, source, seed, loader });
      } finally {
        await disposeAll(buffers.values());
      }
    }),
  );
  await writeAutoencoder(to, { config: withScale(model.config, scale), weights });
  onNotice?.(
    `scaling_factor is ${scale}: 1 over the deviation of the latents of pictures that it was trained on`,
  );
}

function modelOf({ model: settings }: RunConfig): AutoencoderModel {
  const model = createSampleModel(settings);
  if (isAutoencoder(model)) return model;
  throw internalError('a run of another model is exported as an autoencoder');
}
