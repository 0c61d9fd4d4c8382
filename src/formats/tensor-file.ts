import { extname } from 'node:path';
import { readSafetensorsHeader } from './safetensors-file.ts';
import { allocateSlot, bytesIn, bytesOf } from './safetensors.ts';
import type { SafetensorsDtype, StoredTensor } from '../tensor/stored-tensor.ts';
import { type RectiflowError, fileError, formatShape } from '../tensor/errors.ts';
import { didYouMean } from '../tensor/suggest.ts';
import type { FilePool } from '../host/file-pool.ts';
import { readNpyHeader } from './npy.ts';

/** A tensor in a file, which is read in parts: it may be larger than memory. */
export interface TensorFile {
  readonly path: string;
  /** How errors call it. */
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Where its values start, in bytes. */
  readonly start: number;
  /** The file's other tensors, by name. */
  readonly others?: readonly string[];
}

/**
 * The tensor of a .npy file, or the one called `tensor` of a .safetensors file.
 * @throws RectiflowError naming the file, and the tensors there are where it is none of them
 */
export async function openTensor(path: string, tensor: string): Promise<TensorFile> {
  switch (extname(path).toLowerCase()) {
    case '.npy': {
      const { dtype, shape, dataStart } = await readNpyHeader(path);
      return { path, name: path, dtype, shape, start: dataStart };
    }
    case '.safetensors': {
      const { slots, dataStart } = await readSafetensorsHeader(path);
      const names = slots.map(({ name }) => name);
      const slot = slots.find(({ name }) => name === tensor);
      if (slot === undefined) throw noTensor(path, tensor, names);
      const { dtype, shape, begin } = slot;
      const others = names.filter((name) => name !== tensor);
      return { path, name: `${path}: ${tensor}`, dtype, shape, start: dataStart + begin, others };
    }
    default:
      throw fileError(
        path,
        'is no .npy or .safetensors file, and no folder that was packed',
        'Check the path',
      );
  }
}

/** Elements [index, index + 1) along the first axis. */
export async function readElement(file: TensorFile, index: number, pool: FilePool): Promise<StoredTensor> {
  const shape = file.shape.slice(1);
  return readPart(file, index * bytesIn(file.dtype, shape), shape, pool);
}

/** All of its values. */
export async function readTensor(file: TensorFile, pool: FilePool): Promise<StoredTensor> {
  return readPart(file, 0, file.shape, pool);
}

async function readPart(
  file: TensorFile,
  from: number,
  shape: readonly number[],
  pool: FilePool,
): Promise<StoredTensor> {
  const { dtype } = file;
  const data = allocateSlot({ name: file.name, dtype, shape, begin: 0, end: bytesIn(dtype, shape) });
  await pool.fill(file.path, file.start + from, bytesOf(data));
  return { dtype, shape, data };
}

/**
 * Whole numbers, one for each of `count` samples.
 * @throws RectiflowError on another shape, on fractions, on what does not fit into 32 bits
 */
export async function readLabelTensor(file: TensorFile, pool: FilePool): Promise<Int32Array> {
  const { name, dtype, shape } = file;
  if (!/^[IU]\d/.test(dtype))
    throw fileError(
      name,
      `has values of ${dtype}, labels are whole numbers`,
      'Convert it, if none has a fraction: labels.astype("int32")',
    );
  if (shape.length !== 1)
    throw fileError(name, `has shape ${formatShape(shape)}, labels are [N]`, 'Give one label per sample');
  const { data } = await readTensor(file, pool);
  const labels = new Int32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    labels[i] = Number(data[i]);
    if (BigInt(labels[i]!) !== BigInt(data[i]!))
      throw fileError(name, `sample ${i} has label ${data[i]}`, 'Labels are below 2^31');
  }
  return labels;
}

/** As `readLabelTensor`, of shards one behind the other. */
export async function readLabelTensors(files: readonly TensorFile[], pool: FilePool): Promise<Int32Array> {
  const parts: Int32Array[] = [];
  for (const file of files) parts.push(await readLabelTensor(file, pool));
  const all = new Int32Array(parts.reduce((count, part) => count + part.length, 0));
  let done = 0;
  for (const part of parts) {
    all.set(part, done);
    done += part.length;
  }
  return all;
}

function noTensor(path: string, tensor: string, names: readonly string[]): RectiflowError {
  const problem = `has no tensor "${tensor}"; it has ${names.map((name) => `"${name}"`).join(', ') || 'none'}`;
  return fileError(path, problem, `Set data.tensor or data.labels.${didYouMean(tensor, names)}`);
}
