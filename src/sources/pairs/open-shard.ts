import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkLabels } from '../../data/arrays.ts';
import { parseJsonText } from '../../formats/json.ts';
import { type TensorFile, openTensor, readLabelTensor, readTensor } from '../../formats/tensor-file.ts';
import type { FilePool } from '../../host/file-pool.ts';
import { grouped } from '../../tensor/counted.ts';
import { type RectiflowError, fileError, formatShape, systemProblem } from '../../tensor/errors.ts';
import { sameShape } from '../../tensor/shape.ts';
import { decodeText } from '../../tensor/text.ts';
import {
  CAPTIONS,
  LABELS,
  MAKE_AGAIN,
  NOISE,
  type PairsManifest,
  type PairsShard,
  SAMPLES,
} from './manifest.ts';

/** Where the tensors of a shard are. */
export interface OpenShard {
  readonly noise: TensorFile;
  readonly samples: TensorFile;
  readonly labels: Int32Array | undefined;
  /** Read when the first is asked for. */
  captions(): Promise<readonly string[]>;
}

/** @throws RectiflowError where the file is missing or of another size, or lacks a tensor or has another in its place */
export async function openShard(
  folder: string,
  { name, count, bytes }: PairsShard,
  { shape, classes, classNames, captions }: PairsManifest,
  pool: FilePool,
): Promise<OpenShard> {
  const path = join(folder, name);
  const { size } = await stat(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), MAKE_AGAIN, error);
  });
  if (size !== bytes) throw fileError(path, `has ${size} bytes, ${bytes} were written`, MAKE_AGAIN);
  const values = async (tensor: string): Promise<TensorFile> => {
    const file = await openTensor(path, tensor);
    const wanted = [count, ...shape];
    if (file.dtype === 'F32' && sameShape(file.shape, wanted)) return file;
    throw otherTensor(path, tensor, file, `F32 ${formatShape(wanted)}`);
  };
  const labels =
    classes === undefined ? undefined : await readLabelTensor(await openTensor(path, LABELS), pool);
  if (labels)
    checkLabels(labels, count, { name: path, classes: classes!, ...(classNames && { classNames }) });
  let told: Promise<readonly string[]> | undefined;
  if (captions) await openTensor(path, CAPTIONS);
  return {
    noise: await values(NOISE),
    samples: await values(SAMPLES),
    labels,
    captions: () => (told ??= readCaptions(path, count, pool)),
  };
}

async function readCaptions(path: string, count: number, pool: FilePool): Promise<readonly string[]> {
  const { data } = await readTensor(await openTensor(path, CAPTIONS), pool);
  const { captions } = parseJsonText(decodeText(data as Uint8Array, path), path, MAKE_AGAIN);
  const areTexts =
    Array.isArray(captions) &&
    captions.length === count &&
    captions.every((text) => typeof text === 'string');
  if (areTexts) return captions;
  throw fileError(path, `has no captions of ${grouped(count)} pairs`, MAKE_AGAIN);
}

function otherTensor(
  path: string,
  name: string,
  { dtype, shape }: TensorFile,
  wanted: string,
): RectiflowError {
  return fileError(path, `has ${name} of ${dtype} ${formatShape(shape)}, wanted ${wanted}`, MAKE_AGAIN);
}
