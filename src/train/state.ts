import type { Backend, Buffer, Buffers } from '../backends/backend.ts';
import type { Module } from '../nn/module.ts';
import { initialValue } from '../nn/parameters.ts';
import { assign } from '../ops/index.ts';
import { type Program, trace } from '../program/index.ts';
import { averageTensor, groupAverages } from './averages.ts';
import { type Ownership, ownedPart, ownsAll } from './ranks/ownership.ts';

/** Zeroed memory for all that programs keep between runs; state of one name is shared. The caller disposes of it. */
export function allocateState(backend: Backend, ...programs: readonly Program[]): Map<string, Buffer> {
  const state = new Map(programs.flatMap((program) => program.state.map((tensor) => [tensor.name!, tensor])));
  return new Map([...state].map(([name, tensor]) => [name, backend.allocate(tensor)]));
}

/**
 * Writes a new model's weights, and the same into their averages where there are any. Moments stay as they are, zero.
 * @param own what is kept of the averages; all by default
 */
export async function initializeState(
  backend: Backend,
  model: Module,
  buffers: Buffers,
  seed: number,
  own: Ownership = ownsAll(),
): Promise<void> {
  const averages = [...groupAverages(buffers).keys()];
  const program = trace('initialize', (graph) => {
    const step = graph.input('step', [], 'int32');
    for (const spec of model.parameters) {
      const value = initialValue(spec, step, seed);
      if (buffers.has(spec.name)) assign(graph.stateful(spec.name, spec.shape), value);
      const part = ownedPart(value, own);
      for (const average of [undefined, ...averages]) {
        const name = averageTensor(average, spec.name);
        if (part && buffers.has(name)) assign(graph.stateful(name, part.shape), part);
      }
    }
    return {};
  });
  const executable = await backend.compile(program, buffers);
  try {
    await executable.run({ step: Int32Array.of(0) });
  } finally {
    await executable.dispose();
  }
}

/** The averaged weights under the model's names. */
export function averagedWeights({ parameters }: Module, buffers: Buffers): Buffers {
  return new Map(parameters.map(({ name }) => [name, buffers.get(averageTensor(undefined, name))!]));
}
