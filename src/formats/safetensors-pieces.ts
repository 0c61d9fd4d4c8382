// One safetensors file that several processes write, each its pieces of the tensors: the same bytes as if one wrote all of it.
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { PIECE_BYTES } from '../host/durable.ts';
import { writeFully } from '../host/write-fully.ts';
import type { Pace } from '../tensor/pace.ts';
import type { StoredTensor } from '../tensor/stored-tensor.ts';
import { type SafetensorsLayout, bytesOf } from './safetensors.ts';

/** Milliseconds of the processor's time, at most, to hand a piece to the system; what a write takes longer, it waits for the disk. */
const MOST_WORK = 1;

/** Makes a new file of its full size, with its header. Fails if the file is already there. */
export async function createSafetensors(
  path: string,
  { header, dataBytes }: SafetensorsLayout,
): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await writeFully(file, header);
    await file.truncate(header.length + dataBytes);
  } finally {
    await file.close();
  }
}

/** Writes another header over that of a file, as long as the one that is there, and flushes the file to the disk. */
export async function replaceHeader(path: string, { header }: SafetensorsLayout): Promise<void> {
  const file = await open(path, constants.O_WRONLY);
  try {
    await writeFully(file, header, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Where to write in a file that another process made. */
export interface PlacesInFile extends Pick<SafetensorsLayout, 'begins'> {
  /** Where the data section starts. */
  readonly dataStart: number;
}

/**
 * Writes pieces of tensors into a file that is there, in full size, and flushes them to the disk. Other processes may write theirs at
 * the same time.
 * @param pace of writing; as fast as it goes by default
 */
export async function writePieces(
  path: string,
  { begins, dataStart }: PlacesInFile,
  pieces:
    | Iterable<readonly [name: string, StoredTensor]>
    | AsyncIterable<readonly [name: string, StoredTensor]>,
  pace?: Pace,
): Promise<void> {
  // Only to write: a network's file system reads whole pages for who may also read, and writes them back over what others wrote.
  const file = await open(path, constants.O_WRONLY);
  try {
    for await (const [name, { data, start = 0 }] of pieces) {
      const position = dataStart + begins.get(name)! + start * data.BYTES_PER_ELEMENT;
      await writePaced(file, bytesOf(data), position, pace);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writePaced(
  file: FileHandle,
  bytes: Uint8Array,
  position: number,
  pace: Pace | undefined,
): Promise<void> {
  for (let done = 0; done < bytes.length; done += PIECE_BYTES) {
    const began = performance.now();
    await writeFully(file, bytes.subarray(done, done + PIECE_BYTES), position + done);
    await pace?.rest(Math.min(MOST_WORK, performance.now() - began));
  }
}
