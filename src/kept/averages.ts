// Copies of the power-function averages that a run stores on its way: averages/step-N.safetensors.
//
// They are float16: an average is read to be added to others, where its rounding, 2^-12 of a weight, is far below what a profile is
// missed by, and half the size allows twice as many. Each tensor has its SHA-256 in the header.
import { bytesOf } from '../formats/safetensors.ts';
import { fileError } from '../tensor/errors.ts';
import { areFinite } from '../tensor/finite.ts';
import { toHalfBits } from '../tensor/half.ts';
import type { StoredTensor } from '../tensor/stored-tensor.ts';
import { toFloat32 } from '../tensor/to-float32.ts';

const largestFloat16 = 65504;

export function digestKey(tensor: string): string {
  return `sha256:${tensor}`;
}

/** What is hashed of a tensor: its values, behind what they mean nothing without. @param updates as the header has it */
export function digestedOfAverage(
  tensor: string,
  updates: string,
  { data }: StoredTensor,
): readonly [Uint8Array, Uint8Array] {
  return [new TextEncoder().encode(`${tensor}\n${updates}\n`), bytesOf(data)];
}

/** @param path of the file, for the error @throws RectiflowError where a value is not finite */
export function finiteValues(path: string, name: string, tensor: StoredTensor): Float32Array {
  const values = toFloat32(tensor);
  if (areFinite(values)) return values;
  const problem = `is not stored: ${name} has values that are not finite`;
  throw fileError(path, problem, 'Lower optimizer.learningRate');
}

/** Whether there is a value that float16 cannot hold. */
export function isTooLarge(values: Float32Array): boolean {
  return values.some((value) => Math.abs(value) > largestFloat16);
}

/** An average, or a piece of one, as it is stored. @param isWide whether it is too large for float16, and stays float32 */
export function storedAverage(tensor: StoredTensor, isWide: boolean): StoredTensor {
  const values = toFloat32(tensor);
  return isWide
    ? { ...tensor, dtype: 'F32', data: values }
    : { ...tensor, dtype: 'F16', data: toHalfBits('float16', values) };
}

/** What the header tells beside the tensors. @param digests of them, by their names */
export function averagesMetadata(
  updates: number,
  digests: ReadonlyMap<string, string>,
): Record<string, string> {
  const ofTensors = Array.from(digests, ([tensor, digest]) => [digestKey(tensor), digest] as const);
  return { format: 'pt', updates: String(updates), ...Object.fromEntries(ofTensors) };
}
