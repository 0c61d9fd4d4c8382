import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { fileError } from '../../tensor/errors.ts';

export interface PackageFile {
  /** Relative to the package, with slashes. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const BLOCK = 512;
const MOST_BYTES = 2 ** 29;
const ADVICE = 'Fetch it again';
const unzip = promisify(gunzip);

/**
 * The ordinary files of a package as npm packs them: a compressed tar (POSIX ustar) with everything in one folder.
 * @param origin how errors call it
 * @throws RectiflowError where it is no such archive, is truncated, or unpacks to more than 512 MiB
 */
export async function readTarball(tarball: Uint8Array, origin: string): Promise<PackageFile[]> {
  const archive = await unzip(tarball, { maxOutputLength: MOST_BYTES }).catch((error: Error) => {
    throw fileError(origin, `cannot be unpacked: ${error.message}`, ADVICE, error);
  });
  const files: PackageFile[] = [];
  for (let at = 0; at + BLOCK <= archive.length && archive[at] !== 0;) {
    const header = archive.subarray(at, at + BLOCK);
    const size = Number.parseInt(text(header, 124, 12), 8);
    const start = at + BLOCK;
    if (text(header, 257, 5) !== 'ustar' || !Number.isSafeInteger(size) || size < 0) {
      throw fileError(origin, `is no tar archive at byte ${at}`, ADVICE);
    }
    if (start + size > archive.length) throw fileError(origin, 'is truncated', ADVICE);
    const prefix = text(header, 345, 155);
    const path = prefix === '' ? text(header, 0, 100) : `${prefix}/${text(header, 0, 100)}`;
    const isFile = header[156] === 0 || header[156] === '0'.charCodeAt(0);
    if (isFile) {
      files.push({ name: path.slice(path.indexOf('/') + 1), bytes: archive.subarray(start, start + size) });
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}

/** A field that ends at its first zero byte. */
function text(header: Uint8Array, start: number, length: number): string {
  const field = Buffer.from(header.subarray(start, start + length)).toString('utf8');
  return field.split('\0', 1)[0]!.trim();
}
