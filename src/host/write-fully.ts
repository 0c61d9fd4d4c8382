import type { FileHandle } from 'node:fs/promises';

/**
 * FileHandle.write may write less than it was given. In a file of its own: what a user of the package imports types from is to
 * compile without those of Node.js.
 */
export async function writeFully(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let done = 0; done < piece.length;) {
    const { bytesWritten } = await file.write(piece, done, piece.length - done);
    done += bytesWritten;
  }
}
