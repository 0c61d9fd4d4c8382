import type { Checkpoint } from '../../src/train/run-store.ts';
import type { StoredTensors } from '../../src/tensor/stored-tensor.ts';

function tensors(value: number): StoredTensors {
  const data = Float32Array.from({ length: 6 }, (_, i) => value + i);
  return new Map([['layer.weight', { dtype: 'F32', shape: [2, 3], data }]]);
}

/** A small checkpoint whose parts differ from each other and from those of other steps. */
export function checkpointAt(step: number): Checkpoint {
  return {
    step,
    model: tensors(step),
    ema: tensors(step + 0.25),
    optimizer: tensors(step + 0.5),
    state: { sampler: { epoch: 1, offset: step }, note: 'é "quoted"' },
    metadata: { timeScale: '1000' },
  };
}
