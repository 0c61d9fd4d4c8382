import { lstat, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory, writeDurably } from '../host/durable.ts';
import { dataError, fileError, systemProblem, valueError } from '../tensor/errors.ts';
import { type BadSampleOptions, BadSamples } from '../data/bad-samples.ts';
import { MANIFEST, readManifest } from './pack/manifest.ts';
import type { Manifest } from './pack/manifest.ts';
import { writeArray } from './pack/write-array.ts';
import { verifyFiles } from './pack/verify-files.ts';
import { writeShards } from './pack/write-shards.ts';
import type { Source } from '../data/source.ts';

export interface PackOptions extends BadSampleOptions {
  /** shards: tar files of PNG images, which other programs read too. array: raw values, for latents and the fastest reads. */
  readonly form: 'shards' | 'array';
  /** A shard is full with so many samples; 10,000 by default. */
  readonly samplesPerShard?: number | undefined;
  /** Or with so many MiB; 256 by default. */
  readonly shardMiB?: number | undefined;
  /** What random transforms are drawn with; each sample is packed once, as epoch 0 sees it. */
  readonly seed?: number;
  /** Hears of samples. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Stops between two samples, with the signal's reason. Nothing is left behind. */
  readonly signal?: AbortSignal | undefined;
  /** Told what was left out, once all is written. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/**
 * Writes all samples of a source into a new folder with a checksum for each file. Opened again as shards (`folder/*.tar`) or as
 * an array (`folder`), their values are the same bit for bit. The folder appears when it is complete.
 *
 * shards: NNNNNN.tar in the form of WebDataset, classes.json with the names of the classes. array: samples.bin, row-major,
 * uint8 where that holds the values exactly, else float32; labels.bin, int32; captions.jsonl, a JSON string a line, or a
 * list of several.
 * @throws RectiflowError where the folder is there already, a sample cannot be read, or does not fit the form
 */
export async function packSource(source: Source, target: string, options: PackOptions): Promise<Manifest> {
  const { form, samplesPerShard = 10_000, shardMiB = 256, seed = 0, onProgress, signal, onNotice } = options;
  checkPositive('samplesPerShard', samplesPerShard);
  checkPositive('shardMiB', shardMiB);
  const { count, shape, classes, classNames, captions = false, record, name } = source;
  if (count === 0) throw dataError(name, 'holds no samples', 'Check where it is read from');
  await refuseExisting(target);
  const partial = `${target}.partial-${process.pid}`;
  const key = { seed, epoch: 0 };
  const bad = new BadSamples(source, options);
  const onSample = (done: number): void => {
    signal?.throwIfAborted();
    onProgress?.(done, count);
  };
  try {
    await mkdir(dirname(target), { recursive: true });
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial);
    const limits = { samples: samplesPerShard, bytes: shardMiB * 2 ** 20 };
    const parts =
      form === 'array'
        ? await writeArray(source, partial, key, bad, onSample)
        : { files: await writeShards(source, partial, limits, key, bad, onSample) };
    const manifest: Manifest = {
      format: 'rectiflow pack',
      version: 1,
      form,
      count: count - bad.count,
      shape,
      ...(classes === undefined ? {} : { classes }),
      ...(classNames === undefined ? {} : { classNames }),
      captions,
      ...(record === undefined ? {} : { record }),
      ...parts,
    };
    await writeDurably(join(partial, MANIFEST), [Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)]);
    await syncDirectory(partial);
    // Another process may have been as fast.
    await refuseExisting(target);
    await rename(partial, target);
    await syncDirectory(dirname(target));
    const leftOut = bad.summary();
    if (leftOut !== undefined) onNotice?.(leftOut);
    return manifest;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    // What the source throws is its own.
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw fileError(
      target,
      `cannot be written: ${systemProblem(error)}`,
      'Check the path and the disk',
      error,
    );
  }
}

/**
 * Reads every file of a packed folder and compares it with its checksum.
 * @throws RectiflowError naming the file that is missing or has changed
 */
export async function verifyPack(
  folder: string,
  onProgress?: (doneBytes: number, totalBytes: number) => void,
): Promise<Manifest> {
  const manifest = await readManifest(folder);
  const files = manifest.files.map((file) => ({ ...file, path: join(folder, file.name) }));
  await verifyFiles(files, 'Pack the data again', onProgress);
  return manifest;
}

function checkPositive(name: string, value: number): void {
  if (!(value > 0)) throw valueError('packSource', name, 'a number above 0', value);
}

async function refuseExisting(path: string): Promise<void> {
  const isThere = await lstat(path).then(
    () => true,
    () => false,
  );
  if (isThere) throw fileError(path, 'is there already', 'Remove it, or pack into another folder');
}
