import type { FileHandle } from 'node:fs/promises';
import { writeDurably } from '../host/durable.ts';
import type { FileDigest } from '../tensor/file-digest.ts';
import type { Pace } from '../tensor/pace.ts';
import { readFully, withFile } from '../host/read-file.ts';
import {
  allocate,
  allocateSlot,
  bytesOf,
  headerLength,
  parseSafetensorsHeader,
  safetensorsChunks,
} from './safetensors.ts';
import type { SafetensorsContents, SafetensorsHeader, TensorSlot } from './safetensors.ts';
import type { Range, StoredTensor, StoredTensors } from '../tensor/stored-tensor.ts';

/** Writes a new file, flushed to the disk; the tensors are not copied. */
export async function writeSafetensors(
  path: string,
  tensors: StoredTensors,
  metadata?: Readonly<Record<string, string>>,
  pace?: Pace,
): Promise<FileDigest> {
  return writeDurably(path, safetensorsChunks(tensors, metadata), pace);
}

/**
 * Reads a whole file, each tensor into memory of its own.
 * @throws RectiflowError when the file is missing, truncated or inconsistent in any way
 */
export async function readSafetensors(path: string): Promise<SafetensorsContents> {
  return withFile(path, async (file) => {
    const header = await readHeader(file, path);
    const tensors = new Map<string, StoredTensor>();
    for (const slot of header.slots) tensors.set(slot.name, await readSlot(file, path, header, slot));
    return { tensors, metadata: header.metadata };
  });
}

/** Names, dtypes, shapes and metadata, without reading the values. */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  return withFile(path, (file) => readHeader(file, path));
}

/** One tensor of a file whose header was read. @param range of a piece that is wanted; all of it by default */
export async function readSafetensorsTensor(
  path: string,
  header: SafetensorsHeader,
  slot: TensorSlot,
  range?: Range,
): Promise<StoredTensor> {
  return withFile(path, (file) =>
    range ? readPiece(file, path, header, slot, range) : readSlot(file, path, header, slot),
  );
}

async function readSlot(
  file: FileHandle,
  path: string,
  { dataStart }: SafetensorsHeader,
  slot: TensorSlot,
): Promise<StoredTensor> {
  const data = allocateSlot(slot);
  await readFully(file, bytesOf(data), dataStart + slot.begin, path);
  return { dtype: slot.dtype, shape: slot.shape, data };
}

async function readPiece(
  file: FileHandle,
  path: string,
  { dataStart }: SafetensorsHeader,
  { dtype, shape, begin }: TensorSlot,
  { start, end }: Range,
): Promise<StoredTensor> {
  const data = allocate(dtype, end - start);
  await readFully(file, bytesOf(data), dataStart + begin + start * data.BYTES_PER_ELEMENT, path);
  return { dtype, shape, data, start };
}

async function readHeader(file: FileHandle, path: string): Promise<SafetensorsHeader> {
  const { size } = await file.stat();
  const prefix = new Uint8Array(Math.min(8, size));
  await readFully(file, prefix, 0, path);
  const header = new Uint8Array(headerLength(prefix, size, path));
  await readFully(file, header, 8, path);
  return parseSafetensorsHeader(header, size, path);
}
