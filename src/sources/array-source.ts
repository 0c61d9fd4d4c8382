import { stat } from 'node:fs/promises';
import { bytesIn, bytesOf } from '../formats/safetensors.ts';
import { toFloat32 } from '../tensor/to-float32.ts';
import { fileError, formatShape, systemProblem } from '../tensor/errors.ts';
import type { Shape } from '../tensor/shape.ts';
import { openTensor, readElement, readLabelTensor } from '../formats/tensor-file.ts';
import type { TensorFile } from '../formats/tensor-file.ts';
import { unusedLabels } from './unused-labels.ts';
import { checkLabels } from '../data/arrays.ts';
import type { BadSamplePolicy } from '../data/bad-samples.ts';
import { addArray } from '../data/fingerprint.ts';
import { Fingerprint } from './fingerprint.ts';
import { type FilePool, withPool } from '../host/file-pool.ts';
import { hasLabelsBeside } from './in-run.ts';
import { drawCaption } from '../data/draw-caption.ts';
import { CaptionLines } from './pack/caption-lines.ts';
import { openPackedArray } from './pack/read-array.ts';
import type { ArrayData } from './settings.ts';
import type { Annotation, Captions, Source } from '../data/source.ts';
import { writeBytes, writeBounded, writeLatents } from '../data/values.ts';

/** How numpy makes shades of whole numbers, none of which it loses: astype alone takes them modulo 256. */
const TO_BYTES: Readonly<Record<string, string>> = {
  BOOL: '(255 * images).astype("uint8")',
  U16: '(images / 257).round().astype("uint8") where white is 65535; where it is another number, divide by (white / 255)',
  I8: '(images.astype("int16") + 128).astype("uint8"), where black is -128',
};
const ONE_A_LINE =
  'Write a JSON string on each line, or a list of several: a line for each sample, in their order';
const SCALE =
  '(255 * ((images.astype("float64") - black) / (white - black))).round().astype("uint8"), with the numbers that stand for black and white';

/**
 * Opens an array of samples [N, C, H, W], or [N, H, W] with one channel: a .npy file, a tensor of a .safetensors file, or a
 * folder made by `rectiflow data pack`. Images are uint8, 0 to 255, or floats in [-1, 1]; latents any finite numbers, of which
 * the model sees (value - shift) * scale. Samples are read one by one, so the file may be larger than memory; each is checked
 * when it is read.
 * @param onBadSample skip: a few samples may have labels that are out of range
 * @throws RectiflowError naming the file, and the sample or the tensor
 */
export async function openArray(data: ArrayData, onBadSample: BadSamplePolicy = 'fail'): Promise<Source> {
  if (await isFolder(data.path)) return openPackedArray(data);
  return withPool((pool) => openFile(data, onBadSample, pool));
}

async function openFile(data: ArrayData, onBadSample: BadSamplePolicy, pool: FilePool): Promise<Source> {
  const { path, latents, scale, shift } = data;
  const file = await openTensor(path, data.tensor);
  const shape = sampleShape(file, latents);
  const count = file.shape[0]!;
  const labels = data.labels === undefined ? undefined : await readLabels(data, pool);
  const classes =
    labels === undefined ? undefined : checkLabels(labels, count, { ...data, onBadSample, name: path });
  const lines =
    data.captions === undefined ? undefined : await CaptionLines.open(data.captions, count, ONE_A_LINE);
  const captionsAt = (index: number): Promise<Captions> => lines!.read(index, pool);
  const by = data.captions ?? data.labels;
  return {
    name: path,
    count,
    shape,
    ...(classes === undefined ? {} : { classes }),
    ...(data.classNames === undefined ? {} : { classNames: data.classNames }),
    ...(by === undefined ? {} : { told: { by } }),
    ...(lines && { captions: true, severalCaptions: true, caption: captionsAt }),
    unused: await unusedLabels(data, file),
    ...(latents ? { record: { kind: 'latents', scale, shift } } : {}),
    async read(index, out, offset, key) {
      const tensor = await readElement(file, index, pool);
      if (latents) writeLatents(toFloat32(tensor), { scale, shift }, out, offset, describe(index));
      else if (tensor.dtype === 'U8') writeBytes(tensor.data as Uint8Array, out, offset);
      else writeBounded(toFloat32(tensor), out, offset, describe(index));
      const annotation: Annotation = labels === undefined ? {} : { label: labels[index]! };
      if (lines === undefined) return annotation;
      return { ...annotation, caption: drawCaption(await captionsAt(index), key, index) };
    },
    describe,
    async fingerprint() {
      const digest = await addArray(new Fingerprint(), {
        dtype: file.dtype,
        shape: file.shape,
        labels,
        classNames: data.classNames,
        // A line that holds none is told when it is read, too.
        ...(lines && { caption: (index) => captionsAt(index).catch(() => '') }),
        sampleBytes: bytesIn(file.dtype, file.shape.slice(1)),
        async values(index) {
          // A file may be shorter than it says: that is told when the sample is read.
          const tensor = await readElement(file, index, pool).catch(() => undefined);
          return bytesOf(tensor?.data ?? new Uint8Array());
        },
      });
      return digest.end();
    },
    close: () => pool.close(),
  };

  function describe(index: number): string {
    return `${file.name}: sample ${index}`;
  }
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), 'Check the path', error);
  });
  return found.isDirectory();
}

/** Labels of a .safetensors file may be a tensor of it; else they are a .npy file. */
async function readLabels(data: ArrayData, pool: FilePool): Promise<Int32Array> {
  const labels = data.labels!;
  return readLabelTensor(await openTensor(hasLabelsBeside(data) ? labels : data.path, labels), pool);
}

function sampleShape({ name, dtype, shape }: TensorFile, latents: boolean): Shape {
  const wanted = latents ? 'latents are [N, C, H, W] or [N, H, W]' : 'images are [N, C, H, W] or [N, H, W]';
  if ((shape.length !== 3 && shape.length !== 4) || shape.slice(1).includes(0)) {
    throw fileError(name, `has shape ${formatShape(shape)}, ${wanted}`, 'Reshape it');
  }
  const [, channels, , last] = shape;
  if (!latents && shape.length === 4 && channels! > 4 && (last === 1 || last === 3)) {
    const problem = `has shape ${formatShape(shape)}, which looks like [N, H, W, C]; ${wanted}`;
    throw fileError(name, problem, 'Transpose it: images.transpose(0, 3, 1, 2)');
  }
  if (!latents && dtype !== 'U8' && !dtype.includes('F')) {
    const problem = `has values of ${dtype}; images are uint8, or floats in [-1, 1]`;
    throw fileError(name, problem, `Convert it: ${TO_BYTES[dtype] ?? SCALE}`);
  }
  return shape.length === 3 ? [1, ...shape.slice(1)] : shape.slice(1);
}
