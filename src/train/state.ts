import type { Backend, Buffer, Buffers } from '../backends/backend.ts';
import type { Model } from '../models/model.ts';
import { initialValues } from '../nn/parameters.ts';
import type { Program } from '../program/index.ts';
import { statePrefixes } from './step.ts';

/** Zeroed memory for all that a program keeps between runs. */
export function allocateState(backend: Backend, program: Program): Map<string, Buffer> {
  return new Map(program.state.map((tensor) => [tensor.name!, backend.allocate(tensor)]));
}

/** Writes a new model's weights, and the same into their averages where there are any. Moments stay as they are, zero. */
export async function initializeState(model: Model, buffers: Buffers, seed: number): Promise<void> {
  for (const spec of model.parameters) {
    const values = initialValues(spec, seed);
    await buffers.get(spec.name)!.write(values);
    await buffers.get(statePrefixes.ema + spec.name)?.write(values);
  }
}

/** The averaged weights under the model's names; a parameter that is not trained is its own average. */
export function averagedWeights(model: Model, buffers: Buffers): Buffers {
  return new Map(
    model.parameters.map(({ name }) => [name, (buffers.get(statePrefixes.ema + name) ?? buffers.get(name))!]),
  );
}
