import type { StoredTensor } from '../../src/tensor/stored-tensor.ts';
import type { Model } from '../../src/models/model.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { initialValues } from './models.ts';
import { randomValues } from './random.ts';

/** Weights that are nowhere zero, with the table that the model has. */
export async function storedWeights({ parameters }: Model, seed = 1): Promise<Map<string, StoredTensor>> {
  const tensors = new Map<string, StoredTensor>();
  for (const [i, spec] of parameters.entries()) {
    const random = (): number[] =>
      Array.from(randomValues(sizeOf(spec.shape), seed + i), (value) => 0.4 * value);
    const data = Float32Array.from(spec.trainable ? random() : await initialValues(spec, 0));
    tensors.set(spec.name, { dtype: 'F32', shape: spec.shape, data });
  }
  return tensors;
}
