import { storedTables } from '../../src/nn/fixed-table.ts';
import type { Module } from '../../src/nn/module.ts';
import type { StoredTensor } from '../../src/tensor/stored-tensor.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { randomValues } from './random.ts';

/** Weights that are nowhere zero, with the tables that the model has. */
export function storedWeights(model: Module, seed = 1): Map<string, StoredTensor> {
  const tensors = new Map(storedTables(model));
  for (const [i, { name, shape }] of model.parameters.entries()) {
    const data = Float32Array.from(randomValues(sizeOf(shape), seed + i), (value) => 0.4 * value);
    tensors.set(name, { dtype: 'F32', shape, data });
  }
  return tensors;
}
