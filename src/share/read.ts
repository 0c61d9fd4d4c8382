// From the files of a shared model to its weights: by whatever reads files, in a page by HTTP.
import { RectiflowError, fileError } from '../tensor/errors.ts';
import { canHash, sha256 as digestOf } from '../tensor/sha256.ts';
import type { StoredTensors } from '../tensor/stored-tensor.ts';
import { MANIFEST, type ShareManifest, type SharedWeights, checkManifest } from './manifest.ts';
import { decode, storedBytes } from './numbers.ts';

/**
 * The bytes of a file of the folder, by its name.
 * @param onBytes is told how many more have come
 */
export type ReadFile = (file: string, onBytes?: (bytes: number) => void) => Promise<ArrayBuffer>;

export interface SharedFiles {
  readonly manifest: ShareManifest;
  readonly weights: StoredTensors;
  readonly autoencoder?: StoredTensors;
  readonly cells?: StoredTensors;
}

export interface ReadShareOptions {
  /** Told how many bytes of how many have come. */
  readonly onProgress?: (bytes: number, total: number) => void;
}

/**
 * Reads a shared model, and compares its files with their checksums.
 * @throws RectiflowError where a file is missing, damaged, or no part of a shared model
 */
export async function readShare(read: ReadFile, { onProgress }: ReadShareOptions = {}): Promise<SharedFiles> {
  const manifest = checkManifest(parse(await read(MANIFEST)), MANIFEST);
  const all = [manifest.weights, manifest.autoencoder?.weights, manifest.cells?.tensors];
  const total = all.flatMap((each) => each?.parts ?? []).reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  const onBytes = (bytes: number): void => onProgress?.((done += bytes), total);
  const [weights, autoencoder, cells] = await Promise.all(
    all.map((each) => each && readWeights(read, each, onBytes)),
  );
  return { manifest, weights: weights!, ...(autoencoder && { autoencoder }), ...(cells && { cells }) };
}

/** Files below an address, such as that of the page. */
export function filesAt(base: string | URL): ReadFile {
  return async (file, onBytes) => {
    const url = new URL(file, base);
    const response = await fetch(url).catch((error: unknown) => {
      throw fileError(file, `cannot be fetched: ${(error as Error).message}`, 'Check the connection', error);
    });
    if (!response.ok)
      throw fileError(
        file,
        `the server answers ${response.status}`,
        'Upload the whole folder, and try again',
      );
    if (response.body === null) return response.arrayBuffer();
    const counted = response.body.pipeThrough(
      new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform(chunk, controller) {
          onBytes?.(chunk.length);
          controller.enqueue(chunk);
        },
      }),
    );
    return new Response(counted).arrayBuffer();
  };
}

function parse(bytes: ArrayBuffer): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw fileError(MANIFEST, 'is no JSON', 'Share the run again, and upload the whole folder', error);
  }
}

async function readWeights(
  read: ReadFile,
  { parts, tensors }: SharedWeights,
  onBytes: (bytes: number) => void,
): Promise<StoredTensors> {
  const whole = new Uint8Array(parts.reduce((sum, { bytes }) => sum + bytes, 0));
  const starts = parts.map((_, i) => parts.slice(0, i).reduce((sum, { bytes }) => sum + bytes, 0));
  await Promise.all(
    parts.map(async (part, i) => {
      const bytes = new Uint8Array(await read(part.file, onBytes));
      await checkPart(part, bytes);
      whole.set(bytes, starts[i]!);
    }),
  );
  return new Map(
    tensors.map(({ name, shape, format, start }) => {
      const bytes = whole.subarray(start, start + storedBytes(shape, format));
      return [name, { dtype: 'F32', shape, data: decode(bytes, shape, format) }];
    }),
  );
}

async function checkPart(
  { file, bytes, sha256 }: SharedWeights['parts'][number],
  found: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const advice = 'Upload it again as it was written: a server may have changed it';
  if (found.length !== bytes)
    throw fileError(file, `has ${found.length} bytes, the manifest says ${bytes}`, advice);
  if (!canHash()) return;
  const hex = await digestOf(found);
  if (hex !== sha256)
    throw new RectiflowError('file', `${file}: has SHA-256 ${hex}, the manifest says ${sha256}. ${advice}.`);
}
