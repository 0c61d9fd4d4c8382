import { type RectiflowError, dataError, formatShape, valueError } from '../tensor/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { writePng } from './image.ts';
import { drawSizesPreview } from './preview-sizes.ts';
import { Loader, type LoaderOptions } from '../data/loader.ts';
import { PIXEL_RANGES, type Range, toPicture } from './preview/pictures.ts';
import { type Captioned, drawSheet } from './preview/sheet.ts';
import type { SampleDecoder } from '../train/sample-decoder.ts';
import type { Annotation, ImageShape, Source, SourceFacts } from '../data/source.ts';

export interface PreviewOptions extends Pick<LoaderOptions, 'seed' | 'workers' | 'onBadSample' | 'onBad'> {
  /** At most as many as there are; 64 by default. */
  readonly count?: number | undefined;
  /** From 0, the default. */
  readonly epoch?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Makes pictures of latents. */
  readonly decoder?: SampleDecoder | undefined;
}

export interface Preview {
  /** Pictures that are drawn. */
  readonly count: number;
  /** Of latents: the channels that are drawn, each from its least value (black) to its largest. */
  readonly latentChannels?: number;
}

interface Sample {
  /** [C, H, W] */
  readonly values: Float32Array;
  readonly text: string;
}

/** Samples that are read at a time: the order does not depend on it. */
const AT_ONCE = 8;

/**
 * Draws the first samples that a training with this seed reads in an epoch, in their order and as the model sees them, with
 * class or caption below each, as a PNG file. Latents are decoded, where there is a decoder.
 * @throws RectiflowError where samples are no pictures, one cannot be read, or the file cannot be written
 */
export async function writePreview(path: string, source: Source, options: PreviewOptions): Promise<Preview> {
  const { shape, record } = source;
  if (shape.length !== 3) throw noPicture(source);
  const [channels, height, width] = shape as ImageShape;
  const isImage = record === undefined && (channels === 1 || channels === 3);
  if (isImage && source.sizes) {
    const { canvas, count } = await drawSizesPreview(source, checked(options), (told) =>
      textOf(told, source),
    );
    await writePng(path, canvas);
    return { count };
  }
  const drawn: ImageShape = [channels < 3 ? 1 : 3, height, width];
  const samples: Captioned[] = [];
  if (isImage) {
    for await (const { values, text } of firstSamples(source, options))
      samples.push({ picture: await toPicture(values, drawn, PIXEL_RANGES), text });
  } else if (options.decoder) {
    const { decoder } = options;
    const picture = decoder.pictureShape(shape);
    for await (const { values, text } of firstSamples(source, options))
      samples.push({
        picture: await toPicture(await decoder.decode(values, shape), picture, PIXEL_RANGES),
        text,
      });
    await writePng(path, await drawSheet(samples));
    return { count: samples.length };
  } else {
    const latents: Sample[] = [];
    for await (const { values, text } of firstSamples(source, options))
      latents.push({ values: values.slice(0, sizeOf(drawn)), text });
    const ranges = channelRanges(latents, drawn);
    for (const { values, text } of latents)
      samples.push({ picture: await toPicture(values, drawn, ranges), text });
  }
  await writePng(path, await drawSheet(samples));
  return { count: samples.length, ...(!isImage && { latentChannels: drawn[0] }) };
}

/** More make no picture that anything shows. */
const MOST_SAMPLES = 4096;

/** @throws RectiflowError where more are asked for */
function checked(options: PreviewOptions): PreviewOptions {
  const { count = 0 } = options;
  if (count > MOST_SAMPLES) throw valueError('preview', 'count', `at most ${MOST_SAMPLES}`, count);
  return options;
}

async function* firstSamples(source: Source, options: PreviewOptions): AsyncGenerator<Sample> {
  const { count = 64, epoch = 0, signal, decoder: _, ...reading } = checked(options);
  const wanted = Math.min(count, source.count);
  const size = sizeOf(source.shape);
  const position = { epoch, offset: 0 };
  const loader = new Loader(source, { ...reading, batchSize: AT_ONCE, prefetch: 1, position });
  try {
    for (let first = 0; first < wanted; first += AT_ONCE) {
      signal?.throwIfAborted();
      const { values, annotations } = await loader.next();
      for (let i = 0; i < Math.min(AT_ONCE, wanted - first); i++) {
        yield { values: values.subarray(i * size, (i + 1) * size), text: textOf(annotations[i]!, source) };
      }
    }
  } finally {
    loader.close();
  }
}

/** What the model is told of a sample. */
function textOf({ label, caption }: Annotation, { classNames }: SourceFacts): string {
  if (caption !== undefined) return caption;
  return label === undefined ? '' : (classNames?.[label] ?? String(label));
}

/** The least and the largest value of each channel. */
function channelRanges(samples: readonly Sample[], [channels, height, width]: ImageShape): Range[] {
  const size = height * width;
  return Array.from({ length: channels }, (_, channel) => {
    let [least, most] = [Infinity, -Infinity];
    for (const { values } of samples) {
      for (const value of values.subarray(channel * size, (channel + 1) * size)) {
        least = Math.min(least, value);
        most = Math.max(most, value);
      }
    }
    return [least, most];
  });
}

function noPicture({ name, shape, record }: Source): RectiflowError {
  const isExpression = record?.['kind'] === 'expression';
  const problem = `samples are ${isExpression ? 'cells' : 'arrays'} of ${formatShape(shape)} numbers: there is no picture of them`;
  const after = isExpression ? '; once a model is trained, compare its cells with: rectiflow compare' : '';
  return dataError(name, problem, `See what is in them with: rectiflow data check${after}`);
}
