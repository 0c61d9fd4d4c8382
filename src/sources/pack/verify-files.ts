import { digestFile } from '../../host/durable.ts';
import type { FileDigest } from '../../tensor/file-digest.ts';
import { fileError, systemProblem } from '../../tensor/errors.ts';

/**
 * Reads files and compares them with their checksums.
 * @param advice what to do about one that is missing or has changed
 * @throws RectiflowError naming it
 */
export async function verifyFiles(
  files: readonly (FileDigest & { readonly path: string })[],
  advice: string,
  onProgress?: (doneBytes: number, totalBytes: number) => void,
): Promise<void> {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  for (const { path, bytes, sha256 } of files) {
    const found = await digestFile(path).catch((error: unknown) => {
      throw fileError(path, systemProblem(error), advice, error);
    });
    if (found.bytes !== bytes)
      throw fileError(path, `has ${found.bytes} bytes, ${bytes} were packed`, advice);
    if (found.sha256 !== sha256)
      throw fileError(path, `has changed: SHA-256 must be ${sha256}, found ${found.sha256}`, advice);
    done += bytes;
    onProgress?.(done, total);
  }
}
