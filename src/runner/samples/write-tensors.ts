import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSafetensors } from '../../formats/safetensors-file.ts';
import type { StoredTensor } from '../../tensor/stored-tensor.ts';
import { type Shape, sizeOf } from '../../tensor/shape.ts';
import { latentRecordOf, toLatents } from '../../data/latents.ts';
import type { DataRecord } from '../../known/data-record.ts';
import type { Samples } from './samples.ts';
import type { WrittenSamples } from './written-samples.ts';

/**
 * Writes samples that are no pictures as folder/samples.safetensors: samples [N, ...], and labels [N] of a model with classes.
 * Latents get the scale and the shift back that they had, so that a decoder takes them.
 * @throws RectiflowError when the file cannot be written
 */
export async function writeTensors(
  folder: string,
  { values, shape, annotations, data }: Samples,
): Promise<WrittenSamples> {
  const view = join(folder, 'samples.safetensors');
  const count = values.length / sizeOf(shape);
  const tensors = new Map<string, StoredTensor>([
    ['samples', { dtype: 'F32', shape: [count, ...shape], data: unscale(values, shape, data.record) }],
  ]);
  if (annotations[0]?.label !== undefined) {
    const labels = Int32Array.from(annotations, ({ label }) => label!);
    tensors.set('labels', { dtype: 'I32', shape: [count], data: labels });
  }
  await mkdir(folder, { recursive: true });
  await writeSafetensors(view, tensors);
  return { count, view };
}

function unscale(values: Float32Array, shape: Shape, record: DataRecord['record']): Float32Array {
  const latents = latentRecordOf(record);
  return latents ? toLatents(values, latents, shape) : values;
}
