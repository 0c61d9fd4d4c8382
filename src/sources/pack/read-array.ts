import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileError, systemProblem } from '../../tensor/errors.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { checkLabels } from '../../data/arrays.ts';
import { readLabelTensor, readElement } from '../../formats/tensor-file.ts';
import type { TensorFile } from '../../formats/tensor-file.ts';
import { writeBounded, writeBytes, writeLatents } from '../../data/values.ts';
import { Fingerprint } from '../fingerprint.ts';
import { drawCaption } from '../../data/draw-caption.ts';
import { type FilePool, withPool } from '../../host/file-pool.ts';
import type { ArrayData } from '../settings.ts';
import type { Annotation, Captions, Source } from '../../data/source.ts';
import { CaptionLines } from './caption-lines.ts';
import { CAPTIONS, LABELS, SAMPLES, readManifest } from './manifest.ts';

const AGAIN = 'Pack the data again';

/**
 * Opens an array folder made by `rectiflow data pack`: samples read back bit for bit. Captions stay in their file; in memory
 * is where each starts.
 * @throws RectiflowError naming the folder's file that is missing or has another size
 */
export async function openPackedArray(data: ArrayData): Promise<Source> {
  return withPool((pool) => openFolder(data, pool));
}

async function openFolder(
  { path, scale, shift, labels: set, captions: setCaptions }: ArrayData,
  pool: FilePool,
): Promise<Source> {
  const { form, count, shape, dtype, bounded, classes, classNames, captions, record, files } =
    await readManifest(path);
  if (form !== 'array' || dtype === undefined) {
    throw fileError(
      path,
      'is packed into shards',
      `Set data.source to shards and data.path to ${join(path, '*.tar')}`,
    );
  }
  if (scale !== 1 || shift !== 0 || set !== undefined || setCaptions !== undefined) {
    throw fileError(
      path,
      'is packed with its labels, captions, scale and shift',
      'Leave out data.labels, data.captions, data.scale, data.shift',
    );
  }
  for (const { name, bytes } of files) await checkSize(join(path, name), bytes);
  const named = {
    ...(classes === undefined ? {} : { classes }),
    ...(classNames === undefined ? {} : { classNames }),
  };
  const samples: TensorFile = {
    path: join(path, SAMPLES),
    name: path,
    dtype: dtype === 'uint8' ? 'U8' : 'F32',
    shape: [count, ...shape],
    start: 0,
  };
  await checkSize(samples.path, count * sizeOf(shape) * (dtype === 'uint8' ? 1 : 4));
  const labels = classes === undefined ? undefined : await readLabels(join(path, LABELS), count, pool);
  if (labels !== undefined) checkLabels(labels, count, { name: path, ...named });
  const lines = captions ? await CaptionLines.open(join(path, CAPTIONS), count, AGAIN) : undefined;
  const captionsAt = (index: number): Promise<Captions> => lines!.read(index, pool);
  const describe = (index: number): string => `${path}: sample ${index}`;
  return {
    name: path,
    count,
    shape,
    captions,
    ...named,
    ...(record === undefined ? {} : { record }),
    ...(lines && { severalCaptions: true, caption: captionsAt }),
    async read(index, out, offset, key) {
      const { data } = await readElement(samples, index, pool);
      if (data instanceof Uint8Array) writeBytes(data, out, offset);
      else if (bounded) writeBounded(data as Float32Array, out, offset, describe(index));
      else writeLatents(data as Float32Array, { scale: 1, shift: 0 }, out, offset, describe(index));
      const annotation: Annotation = labels === undefined ? {} : { label: labels[index]! };
      if (lines === undefined) return annotation;
      return { ...annotation, caption: drawCaption(await captionsAt(index), key, index) };
    },
    describe,
    // The manifest has digests of all that was packed.
    fingerprint: () => new Fingerprint().texts([String(count), ...files.map(({ sha256 }) => sha256)]).end(),
    close: () => pool.close(),
  };
}

async function checkSize(path: string, wanted: number): Promise<void> {
  const { size } = await stat(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), AGAIN, error);
  });
  if (size !== wanted) throw fileError(path, `has ${size} bytes, ${wanted} were packed`, AGAIN);
}

async function readLabels(path: string, count: number, pool: FilePool): Promise<Int32Array> {
  await checkSize(path, 4 * count);
  return readLabelTensor({ path, name: path, dtype: 'I32', shape: [count], start: 0 }, pool);
}
