// The folder of a shared model: written as a whole, in place of an earlier one of its own only.
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { replaceFolder } from '../../host/durable.ts';
import { readRegular } from '../../host/regular-file.ts';
import { MANIFEST, type ShareManifest, type SharedWeights, shareFormat } from '../../share/manifest.ts';
import type { PackedTensors } from '../../share/pack.ts';
import { RectiflowError, fileError, systemProblem } from '../../tensor/errors.ts';

/** Hosts of static files take files of 25 MiB and more. */
const partBytes = 16 * 2 ** 20;

/** Weights to be written, under the name that their files begin with. */
export interface NamedWeights {
  readonly name: string;
  readonly packed: PackedTensors;
}

/** Where the parts of weights will be. */
export function partsOf({ name, packed: { bytes, tensors } }: NamedWeights): SharedWeights {
  const parts = slices(bytes).map((part, i) => ({
    file: `${name}-${i + 1}.bin`,
    bytes: part.length,
    sha256: createHash('sha256').update(part).digest('hex'),
  }));
  return { parts, tensors };
}

function slices(bytes: Uint8Array): Uint8Array[] {
  const count = Math.max(1, Math.ceil(bytes.length / partBytes));
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * partBytes, (i + 1) * partBytes));
}

export interface ShareFolder {
  readonly manifest: Omit<ShareManifest, 'files'>;
  readonly weights: readonly NamedWeights[];
  /** What the folder gets beside: files by their names in it. */
  readonly beside: Readonly<Record<string, Uint8Array>>;
  /** The built page, all of whose files it gets. */
  readonly page: string;
}

/** @returns all files, relative to the folder */
export async function writeShare(to: string, share: ShareFolder): Promise<readonly string[]> {
  const { manifest, weights, beside, page } = share;
  try {
    await replaceFolder(to, async (partial) => {
      await mkdir(partial, { recursive: true });
      await cp(page, partial, { recursive: true });
      for (const { name, packed } of weights)
        for (const [i, part] of slices(packed.bytes).entries())
          await writeFile(join(partial, `${name}-${i + 1}.bin`), part);
      for (const [name, bytes] of Object.entries(beside)) await writeFile(join(partial, name), bytes);
      const files = await filesIn(partial);
      await writeFile(join(partial, MANIFEST), `${JSON.stringify({ ...manifest, files })}\n`);
    });
  } catch (error) {
    if (error instanceof RectiflowError) throw error;
    throw fileError(to, `cannot be written: ${systemProblem(error)}`, 'Check the path and the disk', error);
  }
  return filesIn(to);
}

/**
 * Makes sure that nothing is lost where a folder is written: it is not there, it is empty, or it is a shared model that may be replaced.
 * @throws RectiflowError otherwise
 */
export async function checkTarget(to: string, mayReplace: boolean): Promise<void> {
  const found = await filesIn(to).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw fileError(to, `cannot be read: ${systemProblem(error)}`, 'Give another folder', error);
  });
  if (found.length === 0) return;
  const known = await sharedFiles(join(to, MANIFEST));
  if (known === undefined)
    throw fileError(to, 'is not empty, and holds no shared model', 'Give another folder');
  const others = found.filter((file) => file !== MANIFEST && !known.includes(file));
  if (others.length > 0) {
    const more = others.length > 1 ? ` and ${others.length - 1} more` : '';
    throw fileError(
      to,
      `holds ${others[0]}${more}, which are none of a shared model`,
      'Move them, or give another folder',
    );
  }
  if (!mayReplace)
    throw fileError(
      to,
      'holds a shared model already',
      'Give --force (force) to replace it, or another folder',
    );
}

async function sharedFiles(path: string): Promise<readonly string[] | undefined> {
  try {
    const { format, files } = JSON.parse(
      (await readRegular(path)).toString('utf8'),
    ) as Partial<ShareManifest>;
    return format === shareFormat && Array.isArray(files) ? files : undefined;
  } catch {
    return undefined;
  }
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .toSorted();
}

/** @throws RectiflowError where there is no such file */
export async function readLicense(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), 'Give the file with what visitors may do with it', error);
  });
}
