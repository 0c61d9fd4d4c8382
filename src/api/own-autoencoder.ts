// The autoencoder that a run has learnt, in the form in which others are read.
import { join } from 'node:path';
import type { Backend, Buffers } from '../backends/backend.ts';
import { SampleReader } from '../data/sample-reader.ts';
import type { Source } from '../data/source.ts';
import { replaceFolder } from '../host/durable.ts';
import { LatentCodec } from '../latents/codec.ts';
import { type AutoencoderModel, isAutoencoder } from '../models/autoencoder-model.ts';
import type { AutoencoderConfig } from '../models/autoencoders/config.ts';
import type { PreparedRun } from '../runner/prepare-run.ts';
import { AUTOENCODER } from '../sources/latents/manifest.ts';
import { spreadIndices } from '../data/fingerprint.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { StoredTensors } from '../tensor/stored-tensor.ts';
import type { RunPlace } from './ranks/place.ts';
import type { LoaderConfig } from '../train/settings.ts';
import type { TrainResult } from '../train/metrics.ts';
import { averagedWeights } from '../train/state.ts';
import { writeAutoencoder } from './autoencoder.ts';

/** Pictures that the deviation of latents is measured over: it is known within a hundredth or two. */
const mostMeasured = 512;
const atOnce = 16;
/** Of the scale: more are chance. */
const digits = 5;

export interface MeasureOptions {
  readonly backend: Backend;
  readonly model: AutoencoderModel;
  /** A buffer for every parameter of the model, by name. */
  readonly weights: Buffers;
  /** The pictures that the model was trained on. */
  readonly source: Source;
  readonly seed: number;
  readonly loader: LoaderConfig;
  readonly signal?: AbortSignal | undefined;
}

/**
 * 1 / the standard deviation of latents as they are drawn, over pictures from all over the set (Rombach et al. 2022, appendix G): times it
 * they have the deviation 1, as noise has.
 */
export async function measureScale(options: MeasureOptions): Promise<number> {
  const { backend, model, weights, source, seed, loader, signal } = options;
  const elements = sizeOf(model.sampleShape);
  const reader = new SampleReader(source, loader);
  const codec = new LatentCodec(backend, model.autoencoder, weights);
  let [count, sum, squares] = [0, 0, 0];
  try {
    const indices = spreadIndices(source.count, mostMeasured);
    for (let first = 0; first < indices.length; first += atOnce) {
      signal?.throwIfAborted();
      const some = indices.slice(first, first + atOnce);
      const pictures = new Float32Array(some.length * elements);
      for (const [i, index] of some.entries())
        await reader.read(index, pictures, i * elements, { seed, epoch: 0 });
      const { mean, logVariance } = await codec.encode(pictures, [some.length, ...model.sampleShape]);
      mean.forEach((value, i) => {
        sum += value;
        squares += value ** 2 + (logVariance ? Math.exp(logVariance[i]!) : 0);
      });
      count += mean.length;
    }
  } finally {
    await codec.dispose();
  }
  return Number((1 / Math.sqrt(squares / count - (sum / count) ** 2)).toPrecision(digits));
}

/**
 * Writes what a training of an autoencoder has come to, once it has ended, into the folder of its run: with averaged weights and the scale
 * of its latents. What an earlier end of the run left there is replaced. All ranks call it; who holds the folder writes.
 * @returns the result, with the folder that it was written to
 */
export async function withOwnAutoencoder(
  training: PreparedRun,
  { path, folder }: Pick<RunPlace, 'path' | 'folder'>,
  result: TrainResult,
): Promise<TrainResult> {
  const { model, buffers, exchange } = training;
  if (!isAutoencoder(model) || !result.finished) return result;
  const autoencoder = exchange
    ? await exchange.withAverages(async () => folder && writeOwn(training, model, buffers, path))
    : await writeOwn(training, model, averagedWeights(model, buffers), path);
  return { ...result, autoencoder };
}

/** @param averages of the model's weights, by their names */
async function writeOwn(
  { backend, source, config }: PreparedRun,
  model: AutoencoderModel,
  averages: Buffers,
  run: string,
): Promise<string> {
  const { seed, loader } = config;
  const scale = await measureScale({ backend, model, weights: averages, source, seed, loader });
  const weights: StoredTensors = new Map(
    await Promise.all(
      model.parameters.map(async ({ name, shape }) => {
        const data = (await averages.get(name)!.read()) as Float32Array;
        return [name, { dtype: 'F32', shape, data }] as const;
      }),
    ),
  );
  const folder = join(run, AUTOENCODER);
  const own = { config: withScale(model.config, scale), weights };
  await replaceFolder(folder, (partial) => writeAutoencoder(partial, own));
  return folder;
}

export function withScale(config: AutoencoderConfig, scale: number): AutoencoderConfig {
  return { ...config, scaling: { scale, shift: 0 } };
}
