// What can be done with the data of a config before anything is trained.
import { encodeCaptions } from '../text/caption-cache.ts';
import { captionsOf } from '../data/captions.ts';
import { checkSamples } from '../check/check.ts';
import type { DataReport } from '../check/data-report.ts';
import type { Manifest } from '../sources/pack/manifest.ts';
import { type PackOptions, packSource } from '../sources/pack.ts';
import { type Preview, writePreview } from '../pictures/preview.ts';
import { SampleReader } from '../data/sample-reader.ts';
import { loadOnnxRuntime, openCaptionEncoder } from '../text/text-encoder.ts';
import { openTokenizer } from '../text/tokenizers/open.ts';
import type { DataConfig } from '../sources/settings.ts';
import { configError } from '../tensor/config-error.ts';
import type { RectiflowError } from '../tensor/errors.ts';
import type { ConfigInput } from '../config/config.ts';
import { captionMeter } from '../check/caption-survey.ts';
import { ParsedConfig } from '../config/resolve-config.ts';
import type { Shape } from '../tensor/shape.ts';
import { batchSizeOf as batchSizeOfShape } from '../train/step-shapes.ts';
import type { KnownData } from '../known/known-data.ts';
import { type RunOptions, withSource } from './parts.ts';
import { recordFindings } from './record-findings.ts';
import { withDecoder } from './decoder.ts';
import { autoencoderOfData } from './run-autoencoder.ts';

export interface DataOptions extends Pick<RunOptions, 'signal' | 'source' | 'onNotice'> {
  /** How errors call the config: a file, a recipe. */
  readonly origin?: string;
  /** Hears of samples that are done, of those that there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface CheckDataOptions extends DataOptions {
  /** Of a run that the config is of: what it knows of the data is compared with them. */
  readonly known?: KnownData | undefined;
}

/**
 * Reads every sample once, and tells what there is, what is wrong with it and what to change. The config needs no model.
 * @throws RectiflowError when the config is wrong, or the data as a whole cannot be read; what is wrong with single samples is
 * in the report
 */
export async function checkData(
  input: ConfigInput | ParsedConfig,
  options: CheckDataOptions = {},
): Promise<DataReport> {
  const parsed = ParsedConfig.of(input, options.origin);
  const { onBadSample } = parsed.reading.loader;
  const { text } = parsed;
  // What is wrong with single samples is found when they are read.
  return withSource(parsed.data, { ...options, onBadSample: 'skip' }, async (source) => {
    const captions = text && (await captionMeter(text, source));
    const batchSizeOf = (shape: Shape): number => batchSizeOfShape(shape, source.shape, parsed.batches);
    const report = await checkSamples(source, { ...options, onBadSample, captions, batchSizeOf });
    if (options.known === undefined) return report;
    const config = parsed.resolve(source);
    const findings = [...(await recordFindings(source, config, options.known)), ...report.findings];
    return { ...report, findings, advice: findings.map(({ text: sentence }) => sentence) };
  });
}

export interface PreviewDataOptions extends DataOptions {
  /** At most as many as there are; 64 by default. */
  readonly count?: number;
  /** Of random transforms and the order, from 0. */
  readonly epoch?: number;
  /** Makes pictures of latents that do not come with one, as `readAutoencoder` takes it. */
  readonly autoencoder?: string | undefined;
}

/**
 * Draws what the model will see: the first samples that a training reads, with class or caption below each, as a PNG file.
 * @throws RectiflowError when the config is wrong, samples are no pictures, or one cannot be read
 */
export async function previewData(
  input: ConfigInput | ParsedConfig,
  path: string,
  options: PreviewDataOptions = {},
): Promise<Preview> {
  const { count, epoch, signal, onNotice } = options;
  const parsed = ParsedConfig.of(input, options.origin);
  const { seed, loader } = parsed.reading;
  const onBad = ({ message }: RectiflowError): void => onNotice?.(`skipped: ${message}`);
  const { data } = parsed;
  return withSource(data, { ...options, ...loader }, (source) => {
    const autoencoder = options.autoencoder ?? autoencoderOfData(data);
    const decoding = { path: autoencoder, facts: source, of: source.name, onNotice };
    return withDecoder({ backend: parsed.backend }, decoding, (decoder) =>
      writePreview(path, source, { ...loader, seed, count, epoch, signal, onBad, decoder }),
    );
  });
}

export interface PackDataOptions
  extends DataOptions, Pick<PackOptions, 'form' | 'samplesPerShard' | 'shardMiB'> {}

/**
 * Writes all samples, as the model sees them, into a new folder: see `packSource`. Random transforms are drawn once.
 * @throws RectiflowError where the folder is there already, a sample cannot be read, or does not fit the form
 */
export async function packData(
  input: ConfigInput | ParsedConfig,
  folder: string,
  options: PackDataOptions,
): Promise<Manifest> {
  const { onNotice } = options;
  const parsed = ParsedConfig.of(input, options.origin);
  const { data } = parsed;
  const { seed, loader } = parsed.reading;
  const onBad = ({ message }: RectiflowError): void => onNotice?.(`skipped: ${message}`);
  refuseSeveralSizes(data);
  const random = 'transforms' in data ? data.transforms.filter(({ kind }) => randomKinds.has(kind)) : [];
  if (random.length > 0) {
    const kinds = random.map(({ kind }) => kind).join(', ');
    onNotice?.(`${kinds}: drawn once now, and the same in every epoch of a training on what is packed`);
  }
  return withSource(data, { ...options, ...loader }, (source) =>
    packSource(source, folder, { ...options, onBadSample: loader.onBadSample, seed, onBad }),
  );
}

/** @throws RectiflowError where images are read at several sizes: a pack has those of one */
function refuseSeveralSizes(data: DataConfig): void {
  const name = (['sizes', 'buckets'] as const).find((each) => each in data);
  if (name === undefined) return;
  const problem = `data.${name}: what is packed has one size`;
  throw configError('data pack', [
    `${problem}. Give data.size in its place, or train on the images as they are`,
  ]);
}

const randomKinds: ReadonlySet<string> = new Set(['random-crop', 'random-resized-crop', 'horizontal-flip']);

export interface EncodeTextOptions extends DataOptions {
  /** A text encoder exported to ONNX. */
  readonly model: string;
  /** Its tokenizer.json. */
  readonly tokenizer: string;
  /** Tokens of a caption, with those that begin and end it; 77 by default, as CLIP has. */
  readonly length?: number;
  /** Captions to encode beside those of the data and of sample.prompts: what samples will be asked for. */
  readonly prompts?: readonly string[] | undefined;
  /** float16 by default. */
  readonly precision?: 'float16' | 'float32';
}

/**
 * Encodes every caption of the data, for model.text.embeddings. Takes the package onnxruntime-node.
 * @returns how many different captions there are
 * @throws RectiflowError when that package is not installed, the encoder or its tokenizer cannot be used, or samples have no captions
 */
export async function encodeText(
  input: ConfigInput | ParsedConfig,
  path: string,
  options: EncodeTextOptions,
): Promise<number> {
  const { model, length = 77, prompts = [], onNotice, onProgress, signal } = options;
  const parsed = ParsedConfig.of(input, options.origin);
  const { data } = parsed;
  const { loader } = parsed.reading;
  const runtime = loadOnnxRuntime();
  const encoder = await openCaptionEncoder(model, await openTokenizer(options.tokenizer, length), runtime);
  return withSource(data, { ...options, ...loader }, (source) => {
    const onBad = ({ message }: RectiflowError): void => onNotice?.(`skipped: ${message}`);
    const reader = new SampleReader(source, { ...loader, onBad });
    const asked = [...parsed.prompts, ...prompts];
    const { precision } = options;
    return encodeCaptions(path, {
      captions: withMore(captionsOf(source, reader), asked),
      encoder,
      onNotice,
      ...(precision && { precision }),
      ...(onProgress && { onProgress }),
      ...(signal && { signal }),
    });
  });
}

async function* withMore<T>(first: AsyncIterable<T>, more: Iterable<T>): AsyncGenerator<T> {
  yield* first;
  yield* more;
}
