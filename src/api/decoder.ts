// What makes pictures of the latents of a run.
import type { Backend } from '../backends/backend.ts';
import { type LatentRecord, latentRecordOf, toLatents } from '../data/latents.ts';
import type { ImageShape, SourceFacts } from '../data/source.ts';
import { decoding } from '../latents/passes.ts';
import { defaultMemory } from '../latents/codec.ts';
import { bytesOf } from '../latents/layout.ts';
import { counted } from '../tensor/counted.ts';
import { fileError } from '../tensor/errors.ts';
import { type SampleDecoder, decodeInParts } from '../train/sample-decoder.ts';
import type { RunConfig } from '../config/config.ts';
import { type OpenAutoencoder, openAutoencoder } from './autoencoder.ts';
import { type RunOptions, inFloat32, withBackend } from './parts.ts';

/** Pixels that are decoded at a time: memory does not grow with the number of pictures. */
const pixelsAtOnce = 2 ** 17;

/** A decoder, and the autoencoder that it is of. */
export interface LatentDecoder extends SampleDecoder {
  readonly autoencoder: OpenAutoencoder;
}

export interface DecoderOptions extends Pick<RunOptions, 'backend'> {
  readonly onNotice?: ((text: string) => void) | undefined;
  /** Of the autoencoder; undefined where there is none. */
  readonly path: string | undefined;
  /** Of the samples that are to be decoded. */
  readonly facts: Pick<SourceFacts, 'shape' | 'record'>;
  /** Whose latents they are, for errors: a checkpoint, a set of data. */
  readonly of: string;
}

/**
 * The decoder of latents for as long as `use` takes; undefined for samples that are no latents, or where no autoencoder is known.
 * @param config says what computes; it does so in fp32
 * @throws RectiflowError where the autoencoder cannot be read, is another than that of the latents, or makes latents of other channels
 */
export async function withDecoder<T>(
  config: Pick<RunConfig, 'backend'>,
  { path, facts, of, backend: given, onNotice }: DecoderOptions,
  use: (decoder: LatentDecoder | undefined) => Promise<T>,
): Promise<T> {
  const record = latentRecordOf(facts.record);
  if (path === undefined || record === undefined || facts.shape.length !== 3) return use(undefined);
  return withBackend(
    inFloat32(config.backend),
    { backend: given, ...(onNotice && { onNotice }) },
    async (backend) => {
      const autoencoder = await openAutoencoder(path, { backend, onNotice });
      try {
        checkSame(autoencoder, record, facts.shape[0]!, of);
        return await use(decoderOf(autoencoder, record, facts.shape as ImageShape, backend));
      } finally {
        await autoencoder.dispose();
      }
    },
  );
}

function checkSame(
  { path, fingerprint, autoencoder }: OpenAutoencoder,
  record: LatentRecord,
  channels: number,
  of: string,
): void {
  if (record.autoencoder !== undefined && record.autoencoder !== fingerprint) {
    const [wanted, found] = [record.autoencoder, fingerprint].map((each) => each.slice(0, 12));
    const problem = `is another autoencoder (${found}) than the one whose latents ${of} knows (${wanted})`;
    throw fileError(path, problem, 'Give that one: pictures of another would mean nothing');
  }
  if (autoencoder.latentChannels === channels) return;
  const problem = `makes latents of ${counted(autoencoder.latentChannels, 'channel')}, those of ${of} have ${channels}`;
  throw fileError(path, problem, 'Give the autoencoder that the latents are of');
}

function decoderOf(
  opened: OpenAutoencoder,
  record: LatentRecord,
  [, height, width]: ImageShape,
  backend: Backend,
): LatentDecoder {
  const { autoencoder } = opened;
  const { factor, imageChannels } = autoencoder;
  const atOnceOf = (rows: number, columns: number): number =>
    Math.max(1, Math.floor(pixelsAtOnce / (rows * columns * factor ** 2)));
  const pictureShape = ([, rows, columns]: readonly number[]): ImageShape => [
    imageChannels,
    rows! * factor,
    columns! * factor,
  ];
  return {
    autoencoder: opened,
    pictureShape,
    bytes: Math.min(
      defaultMemory,
      bytesOf(backend, decoding(autoencoder).whole, atOnceOf(height, width), height, width),
    ),
    async decode(samples, shape, signal) {
      const [, rows, columns] = shape as ImageShape;
      const decodePart = async (part: Float32Array, count: number): Promise<Float32Array> =>
        (await opened.decode(toLatents(part, record, shape), [count, ...shape])).images;
      return decodeInParts(samples, shape, pictureShape(shape), atOnceOf(rows, columns), decodePart, signal);
    },
  };
}
