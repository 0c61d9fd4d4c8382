import type { FileHandle } from 'node:fs/promises';

/**
 * FileHandle.write may write less than it was given. In a file of its own: what a user of the package imports types from is to
 * compile without those of Node.js.
 * @param position in the file; behind what was written last by default
 */
export async function writeFully(file: FileHandle, piece: Uint8Array, position?: number): Promise<void> {
  for (let done = 0; done < piece.length;) {
    const at = position === undefined ? null : position + done;
    const { bytesWritten } = await file.write(piece, done, piece.length - done, at);
    done += bytesWritten;
  }
}
