// Images of a config to latents, by an autoencoder.
import { mkdir } from 'node:fs/promises';
import type { ConfigInput } from '../config/config.ts';
import { ParsedConfig } from '../config/resolve-config.ts';
import type { Annotation, Source } from '../data/source.ts';
import { membersOf } from '../data/source-view.ts';
import { lockRun } from '../runs/lock.ts';
import { encodeSource } from '../sources/latents/encode.ts';
import type { LatentEncoder } from '../sources/latents/encoder.ts';
import { splitFlips } from '../sources/latents/flips.ts';
import type { EncodingSettings, LatentsManifest } from '../sources/latents/manifest.ts';
import type { DataConfig } from '../sources/settings.ts';
import { counted } from '../tensor/counted.ts';
import { dataError, formatShape, valueError } from '../tensor/errors.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import {
  type OpenAutoencoder,
  type OpenAutoencoderOptions,
  openAutoencoder,
  writeAutoencoder,
} from './autoencoder.ts';
import { type RunOptions, inFloat32, withBackend, withSource } from './parts.ts';

export interface EncodeDataOptions
  extends
    Pick<RunOptions, 'signal' | 'source' | 'backend' | 'onNotice'>,
    Pick<OpenAutoencoderOptions, 'scaling' | 'normGroups' | 'memory'> {
  /** A folder or file of an autoencoder, as `readAutoencoder` takes it. */
  readonly autoencoder: string;
  /** Of the numbers in the files: float32 by default, float16 takes half of the disk. */
  readonly precision?: 'float32' | 'float16' | undefined;
  /** A file is full with so many MiB; 128 by default. */
  readonly shardMiB?: number | undefined;
  /** Images that are encoded at a time; 8 by default. */
  readonly batchSize?: number | undefined;
  /** How errors call the config: a file, a recipe. */
  readonly origin?: string;
  /** Hears of samples that are done, of those that there are. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Encodes all images of a config, as the model would see them, and where they are mirrored at random the mirrored ones, too, into
 * a folder that is opened as data.source latents; or goes on where an earlier call was stopped.
 * @throws RectiflowError where images are cropped at random, or are of a size that the autoencoder does not take; where the folder
 * holds something else, or latents of other images or of another autoencoder
 */
export async function encodeData(
  input: ConfigInput | ParsedConfig,
  folder: string,
  options: EncodeDataOptions,
): Promise<LatentsManifest> {
  const { batchSize = 8, shardMiB = 128, onNotice } = options;
  checkPositive({ batchSize, shardMiB });
  const parsed = ParsedConfig.of(input, options.origin);
  const { data, backend: chosen } = parsed;
  const { loader } = parsed.reading;
  const { plain, mirrored, flip } = sourcesOf(data);
  return withSource(plain, { ...options, ...loader }, (source) =>
    withMirrored(mirrored, { ...options, ...loader }, (mirror) =>
      withBackend(inFloat32(chosen), options, async (backend) => {
        const { autoencoder: path, scaling, normGroups, memory } = options;
        const told = { backend, scaling, normGroups, memory, onNotice };
        const autoencoder = await openAutoencoder(path, told);
        try {
          const { imageChannels } = autoencoder.autoencoder;
          const [shown, shownMirrored] = [source, mirror].map(
            (each) => each && inChannels(each, imageChannels),
          );
          const settings = await settingsOf(shown!, autoencoder, {
            ...options,
            shardMiB,
            data,
            flip,
            ...loader,
          });
          await mkdir(folder, { recursive: true });
          const lock = await lockRun(folder);
          try {
            return await encodeSource(shown!, folder, {
              encoder: encoderOf(autoencoder, settings),
              settings,
              mirrored: shownMirrored,
              batchSize,
              signal: options.signal,
              onNotice,
              onProgress: options.onProgress,
            });
          } finally {
            await lock.release();
          }
        } finally {
          await autoencoder.dispose();
        }
      }),
    ),
  );
}

function checkPositive(numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers))
    if (!(value > 0)) throw valueError('encodeData', name, 'a number above 0', value);
}

interface Sources {
  readonly plain: DataConfig;
  readonly mirrored?: DataConfig;
  readonly flip: number;
}

/** The data without flips, and all of them mirrored where some are to be. */
function sourcesOf(data: DataConfig): Sources {
  if (data.source === 'latents') {
    const advice = 'Give a config of images: data.source folder, shards, emoji and so on';
    throw dataError(data.path, 'holds latents already', advice);
  }
  if (!('transforms' in data)) return { plain: data, flip: 0 };
  const { plain, mirrored, flip } = splitFlips(data.transforms, data.source);
  return {
    plain: { ...data, transforms: plain },
    ...(mirrored && { mirrored: { ...data, transforms: mirrored } }),
    flip,
  };
}

async function withMirrored<T>(
  data: DataConfig | undefined,
  options: Parameters<typeof withSource>[1],
  use: (source: Source | undefined) => Promise<T>,
): Promise<T> {
  return data === undefined ? use(undefined) : withSource(data, options, use);
}

/** Grey images for an autoencoder of colour: three times the same. */
function inChannels(source: Source, channels: number): Source {
  const [found, ...sides] = source.shape;
  if (sides.length !== 2 || source.record !== undefined) {
    const problem = `samples ${formatShape(source.shape)} are no images`;
    throw dataError(source.name, problem, 'Give a config of images');
  }
  if (source.sizes && source.sizes.shapes.length > 1) {
    const problem = `images are read at ${counted(source.sizes.shapes.length, 'size')}, and a set of latents has one`;
    throw dataError(source.name, problem, 'Set data.size in place of data.sizes or data.buckets');
  }
  if (found === channels) return source;
  if (found !== 1) {
    const problem = `images have ${found} channels, the autoencoder takes ${channels}`;
    throw dataError(source.name, problem, `Set data.channels to ${channels}`);
  }
  const shape: Shape = [channels, ...sides];
  const plane = sizeOf(sides);
  return {
    ...membersOf(source),
    shape,
    async read(index, out, offset, key): Promise<Annotation> {
      const annotation = await source.read(index, out, offset, key);
      for (let channel = 1; channel < channels; channel++)
        out.copyWithin(offset + channel * plane, offset, offset + plane);
      return annotation;
    },
  };
}

async function settingsOf(
  source: Source,
  { autoencoder, config, fingerprint }: OpenAutoencoder,
  {
    data,
    flip,
    precision = 'float32',
    shardMiB,
    onBadSample,
  }: Pick<EncodeDataOptions, 'precision'> &
    Pick<EncodingSettings, 'flip' | 'onBadSample'> & { readonly data: DataConfig; readonly shardMiB: number },
): Promise<EncodingSettings> {
  const { shape: pictures, classes, classNames, captions, severalCaptions } = source;
  autoencoder.checkShape(pictures);
  const { latentChannels, factor, scaling } = autoencoder;
  const shape = [latentChannels, pictures[1]! / factor, pictures[2]! / factor];
  const deviations = config.kind === 'kl';
  const numbers = sizeOf(shape) * (deviations ? 2 : 1) * (flip > 0 ? 2 : 1);
  const bytes = numbers * (precision === 'float16' ? 2 : 4);
  const of = await source.fingerprint?.();
  return {
    data,
    ...(of !== undefined && { fingerprint: of }),
    samples: source.count,
    pictures,
    shape,
    precision,
    deviations,
    flip,
    samplesPerShard: Math.max(1, Math.floor((shardMiB * 2 ** 20) / bytes)),
    onBadSample,
    ...(classes !== undefined && { classes }),
    ...(classNames && { classNames }),
    captions: captions ? (severalCaptions ? 'several' : 'one') : 'none',
    autoencoder: { kind: config.kind, fingerprint, scaling },
  };
}

function encoderOf(autoencoder: OpenAutoencoder, { pictures }: EncodingSettings): LatentEncoder {
  return {
    async encode(images, count) {
      const { mean, logVariance } = await autoencoder.encode(images, [count, ...pictures]);
      return { mean, ...(logVariance && { deviation: logVariance.map((value) => Math.exp(value / 2)) }) };
    },
    write: (folder) => writeAutoencoder(folder, autoencoder),
  };
}
