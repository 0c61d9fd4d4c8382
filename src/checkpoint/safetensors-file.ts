import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { RectiflowError, fileError, systemProblem } from '../tensor/errors.ts';
import { writeDurably } from './durable.ts';
import type { FileDigest } from './durable.ts';
import {
  allocateSlot,
  bytesOf,
  headerLength,
  parseSafetensorsHeader,
  safetensorsChunks,
} from './safetensors.ts';
import type { SafetensorsContents, SafetensorsHeader, StoredTensor, StoredTensors } from './safetensors.ts';

/** One read call handles at most 2 GiB. */
const READ_BYTES = 1 << 30;

/** Writes a new file, flushed to the disk; the tensors are not copied. */
export async function writeSafetensors(
  path: string,
  tensors: StoredTensors,
  metadata?: Readonly<Record<string, string>>,
): Promise<FileDigest> {
  return writeDurably(path, safetensorsChunks(tensors, metadata));
}

/**
 * Reads a whole file, each tensor into memory of its own.
 * @throws RectiflowError when the file is missing, truncated or inconsistent in any way
 */
export async function readSafetensors(path: string): Promise<SafetensorsContents> {
  return withFile(path, async (file) => {
    const header = await readHeader(file, path);
    const tensors = new Map<string, StoredTensor>();
    for (const slot of header.slots) {
      const data = allocateSlot(slot);
      await readFully(file, bytesOf(data), header.dataStart + slot.begin, path);
      tensors.set(slot.name, { dtype: slot.dtype, shape: slot.shape, data });
    }
    return { tensors, metadata: header.metadata };
  });
}

/** Names, dtypes, shapes and metadata, without reading the values. */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  return withFile(path, (file) => readHeader(file, path));
}

async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    return await use(file);
  } catch (error) {
    if (error instanceof RectiflowError) throw error;
    throw fileError(path, systemProblem(error), 'Check the path', error);
  } finally {
    await file?.close();
  }
}

async function readHeader(file: FileHandle, path: string): Promise<SafetensorsHeader> {
  const { size } = await file.stat();
  const prefix = new Uint8Array(Math.min(8, size));
  await readFully(file, prefix, 0, path);
  const header = new Uint8Array(headerLength(prefix, size, path));
  await readFully(file, header, 8, path);
  return parseSafetensorsHeader(header, size, path);
}

async function readFully(
  file: FileHandle,
  target: Uint8Array,
  position: number,
  path: string,
): Promise<void> {
  for (let done = 0; done < target.length;) {
    const wanted = Math.min(READ_BYTES, target.length - done);
    const { bytesRead } = await file.read(target, done, wanted, position + done);
    if (bytesRead === 0) {
      throw fileError(
        path,
        `ends at byte ${position + done} while it is read`,
        'Is another process writing it?',
      );
    }
    done += bytesRead;
  }
}
