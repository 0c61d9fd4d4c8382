import { open, readFile, stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/**
 * Refuses what is there but is no regular file, before it is opened: a pipe is waited for without end, a device may never end.
 * @returns what the system says of it
 * @throws as the operating system does, with the problem in words as its message, so that `systemProblem` tells it
 */
export async function checkRegular(path: string): Promise<Stats> {
  const found = await stat(path);
  if (found.isFile()) return found;
  const code = found.isDirectory() ? 'EISDIR' : 'EINVAL';
  let kind = 'folder';
  if (found.isFIFO()) kind = 'named pipe';
  else if (found.isSocket()) kind = 'socket';
  else if (found.isCharacterDevice() || found.isBlockDevice()) kind = 'device';
  throw Object.assign(new Error(`is a ${kind}, not a regular file`), { code, path, syscall: 'open' });
}

/**
 * Opens a file to read whose name comes from outside: from a config, a command, a listing.
 * @throws as `checkRegular` and the operating system do
 */
export async function openRegular(path: string): Promise<FileHandle> {
  await checkRegular(path);
  return open(path, 'r');
}

/**
 * All bytes of a file whose name comes from outside.
 * @param most bytes; a larger file is not what it is taken for, and is not read
 * @throws as `checkRegular` and the operating system do
 */
export async function readRegular(path: string, most: number = Infinity): Promise<Buffer> {
  const { size } = await checkRegular(path);
  if (size <= most) return readFile(path);
  const problem = `has ${size} bytes, more than the ${most} that such a file may have`;
  throw Object.assign(new Error(problem), { code: 'ERANGE', path, syscall: 'read' });
}

/**
 * The first bytes of a file whose name comes from outside: fewer where it has fewer.
 * @throws as `checkRegular` and the operating system do
 */
export async function firstBytes(path: string, most: number): Promise<Uint8Array> {
  const file = await openRegular(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(most), 0, most, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
