// Autoencoders of files, for whoever encodes and decodes.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Backend, Buffers } from '../backends/backend.ts';
import { chooseBackend } from '../backends/choose.ts';
import { fingerprintAutoencoder } from '../interop/autoencoders/fingerprint.ts';
import type { Told } from '../interop/autoencoders/diffusers-config.ts';
import { openAutoencoderFiles } from '../interop/autoencoders/open.ts';
import { writeAutoencoderFiles } from '../interop/autoencoders/write.ts';
import { readWeights } from '../interop/weights-file.ts';
import {
  type CodecOptions,
  type DecodedLatents,
  type EncodedPictures,
  LatentCodec,
} from '../latents/codec.ts';
import type { Autoencoder } from '../models/autoencoders/autoencoder.ts';
import type { AutoencoderConfig } from '../models/autoencoders/config.ts';
import { createAutoencoder } from '../models/autoencoders/create.ts';
import type { RunConfig } from '../config/config.ts';
import { checkpointFolder, readRun } from '../runs/run-folder.ts';
import { AUTOENCODER } from '../sources/latents/manifest.ts';
import { runError } from '../tensor/errors.ts';
import type { Shape } from '../tensor/shape.ts';
import { type Disposable, Lifetime, disposeAll } from '../tensor/lifetime.ts';
import type { StoredTensors } from '../tensor/stored-tensor.ts';
import { loadWeights } from '../train/restore.ts';

export interface ReadAutoencoderOptions extends Told {
  /** Told what the files do not say and was assumed, in whole sentences. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

export interface ReadAutoencoder {
  readonly path: string;
  /** What the files are, for people: `a folder of diffusers`. */
  readonly form: string;
  readonly config: AutoencoderConfig;
  readonly autoencoder: Autoencoder;
  /** float32, under our names, which are those of diffusers. */
  readonly weights: StoredTensors;
  /** SHA-256 of sizes and weights: latents of another fingerprint mean nothing to this one. */
  readonly fingerprint: string;
}

/**
 * Reads an autoencoder: a folder of diffusers, also whole pipelines with `vae/`; a file of LDM, SD3 or Flux, also within a whole model;
 * the two files of the TAESD family, or a folder with them; the folder of a run that has one.
 * @throws RectiflowError where there is none, it is of a class that is not known, its config and weights disagree, or something that
 * has to be known is not told
 */
export async function readAutoencoder(
  path: string,
  { onNotice, ...told }: ReadAutoencoderOptions = {},
): Promise<ReadAutoencoder> {
  await refuseUnfinished(path);
  const { config, tensors, form, assumptions } = await openAutoencoderFiles(path, told);
  for (const assumption of assumptions) onNotice?.(assumption);
  const weights = await readWeights(tensors);
  const fingerprint = fingerprintAutoencoder(config, weights);
  return { path, form, config, autoencoder: createAutoencoder(config), weights, fingerprint };
}

/** A run of an autoencoder has it once it has ended. */
async function refuseUnfinished(path: string): Promise<void> {
  if (existsSync(join(path, AUTOENCODER)) || !existsSync(checkpointFolder(path))) return;
  const { config } = await readRun(path);
  const { model } = config as RunConfig;
  const advice =
    model?.kind === 'autoencoder'
      ? `It is written when the run ends. Go on with it: rectiflow resume ${path}`
      : 'Give the folder of a run of model.kind autoencoder, or a folder or file of an autoencoder';
  throw runError(path, `has no ${AUTOENCODER}/ in it`, advice);
}

/**
 * Writes an autoencoder as diffusers does, into a new folder.
 * @throws RectiflowError where the folder is there already, or cannot be written
 */
export async function writeAutoencoder(
  folder: string,
  autoencoder: Pick<ReadAutoencoder, 'config' | 'weights'>,
): Promise<void> {
  await writeAutoencoderFiles(folder, autoencoder);
}

export interface OpenAutoencoderOptions extends ReadAutoencoderOptions, CodecOptions {
  /** In place of one of its own, which computes in fp32. */
  readonly backend?: Backend | undefined;
}

/** An autoencoder that is ready to encode and decode. */
export class OpenAutoencoder implements Disposable, ReadAutoencoder {
  readonly path: string;
  readonly form: string;
  readonly config: AutoencoderConfig;
  readonly autoencoder: Autoencoder;
  readonly weights: StoredTensors;
  readonly fingerprint: string;
  readonly #codec: LatentCodec;
  readonly #life: Lifetime;

  /** @param own a backend that is disposed of with it */
  constructor(read: ReadAutoencoder, codec: LatentCodec, buffers: Buffers, own: Backend | undefined) {
    this.path = read.path;
    this.form = read.form;
    this.config = read.config;
    this.autoencoder = read.autoencoder;
    this.weights = read.weights;
    this.fingerprint = read.fingerprint;
    this.#codec = codec;
    this.#life = new Lifetime(`the autoencoder of ${read.path}`, async () => {
      await codec.dispose();
      await disposeAll(buffers.values());
      await own?.dispose();
    });
  }

  /** As `LatentCodec.encode`. @param images [B, C, H, W] in [-1, 1] */
  async encode(images: Float32Array, shape: Shape): Promise<EncodedPictures> {
    this.#life.check();
    return this.#codec.encode(images, shape);
  }

  /** As `LatentCodec.decode`. @param latents [B, z, h, w], not scaled */
  async decode(latents: Float32Array, shape: Shape): Promise<DecodedLatents> {
    this.#life.check();
    return this.#codec.decode(latents, shape);
  }

  /** When what was asked for is done. A backend that was handed over stays. */
  dispose(): Promise<void> {
    return this.#life.dispose();
  }
}

/**
 * Reads an autoencoder and puts its weights onto a backend. Whoever opens it disposes of it.
 * @throws RectiflowError as `readAutoencoder`, and for weights that are not finite
 */
export async function openAutoencoder(
  path: string,
  { backend, memory, ...options }: OpenAutoencoderOptions = {},
): Promise<OpenAutoencoder> {
  const read = await readAutoencoder(path, options);
  const own = backend ? undefined : await ownBackend(options);
  let buffers: Buffers = new Map();
  try {
    const used = (backend ?? own)!;
    buffers = await loadWeights(used, read.autoencoder, read.weights, path);
    const codec = new LatentCodec(used, read.autoencoder, buffers, { memory, onNotice: options.onNotice });
    return new OpenAutoencoder(read, codec, buffers, own);
  } catch (error) {
    await disposeAll(buffers.values());
    await own?.dispose();
    throw error;
  }
}

async function ownBackend({ onNotice }: ReadAutoencoderOptions): Promise<Backend> {
  const { backend, notices } = await chooseBackend({ precision: 'fp32' });
  for (const notice of notices) onNotice?.(notice);
  return backend;
}
