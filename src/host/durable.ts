import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { FileDigest } from '../tensor/file-digest.ts';
import type { Pace } from '../tensor/pace.ts';
import { writeFully } from './write-fully.ts';

/** Small enough that hashing one piece does not hold up the event loop, large enough for the disk. */
export const PIECE_BYTES: number = 1 << 20;
/** To write or to read a piece takes the processor at most as long as to hash it. */
const WORK_PER_HASH = 2;

/** A new file that is written piece by piece, hashed on the way and flushed to the disk at its end. */
export class DurableFile {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #pace: Pace | undefined;
  readonly #hash = createHash('sha256');
  #bytes = 0;

  private constructor(path: string, file: FileHandle, pace: Pace | undefined) {
    this.path = path;
    this.#file = file;
    this.#pace = pace;
  }

  /** Fails if the file is already there. */
  static async create(path: string, pace?: Pace): Promise<DurableFile> {
    return new DurableFile(path, await open(path, 'wx'), pace);
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let start = 0; start < chunk.length; start += PIECE_BYTES) {
      const piece = chunk.subarray(start, start + PIECE_BYTES);
      const began = performance.now();
      this.#hash.update(piece);
      const hashing = performance.now() - began;
      await writeFully(this.#file, piece);
      this.#bytes += piece.length;
      await this.#pace?.rest(WORK_PER_HASH * hashing);
    }
  }

  async finish(): Promise<FileDigest> {
    await this.#file.sync();
    await this.#file.close();
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }

  /** Removes what was written. */
  async abandon(): Promise<void> {
    await this.#file.close().catch(() => {});
    await rm(this.path, { force: true });
  }
}

/**
 * Writes a new file and flushes it to the disk, hashing what it writes. Fails if the file is already there; a file that
 * cannot be written to its end is removed.
 * @param pace of hashing and writing; as fast as it goes by default
 */
export async function writeDurably(
  path: string,
  chunks: Iterable<Uint8Array>,
  pace?: Pace,
): Promise<FileDigest> {
  const file = await DurableFile.create(path, pace);
  try {
    for (const chunk of chunks) await file.write(chunk);
    return await file.finish();
  } catch (error) {
    await file.abandon();
    throw error;
  }
}

/** Replaces a file as a whole: whoever reads it, and whatever crashes, finds the old content or the new. */
export async function replaceDurably(path: string, content: string): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}`;
  await rm(temporary, { force: true });
  await writeDurably(temporary, [Buffer.from(content)]);
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/**
 * Makes a folder, or replaces it, as a whole: whatever crashes leaves nothing that is half written in its place.
 * @param write makes the folder at the path that it is given
 */
export async function replaceFolder(path: string, write: (partial: string) => Promise<void>): Promise<void> {
  const partial = `${path}.partial`;
  await rm(partial, { recursive: true, force: true });
  await write(partial);
  await syncDirectory(partial);
  await rm(path, { recursive: true, force: true });
  await rename(partial, path);
  await syncDirectory(dirname(path));
}

/** Flushes a directory's entries: without it a renamed file may be gone after a power failure. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows has no handle to a directory that could be flushed; its renames are journalled.
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The digest of a file as it is on the disk now. @param pace of reading and hashing; as fast as it goes by default */
export async function digestFile(path: string, pace?: Pace): Promise<FileDigest> {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let bytes = 0;
  const file = await open(path, 'r');
  try {
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, piece.length);
      if (bytesRead === 0) break;
      const began = performance.now();
      hash.update(piece.subarray(0, bytesRead));
      const hashing = performance.now() - began;
      bytes += bytesRead;
      await pace?.rest(WORK_PER_HASH * hashing);
    }
  } finally {
    await file.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}
