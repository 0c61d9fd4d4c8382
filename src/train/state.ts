import type { Backend, Buffer, Buffers } from '../backends/backend.ts';
import type { Module } from '../nn/module.ts';
import { initialValue } from '../nn/parameters.ts';
import { assign } from '../ops/index.ts';
import { mutatedInputs } from '../ops/op.ts';
import { type Program, memoryOf, opOf, trace } from '../program/index.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { averageTensor, groupAverages } from './averages.ts';
import { type Ownership, ownedPart, ownsAll } from './ranks/ownership.ts';

/**
 * Zeroed memory for all that programs keep between runs; state of one name is shared. What is changed alike, such as all first moments, is
 * allocated together, so that a backend may have it in one piece of memory. The caller disposes of it.
 */
export function allocateState(backend: Backend, ...programs: readonly Program[]): Map<string, Buffer> {
  const state = new Map(programs.flatMap((program) => program.state.map((tensor) => [tensor.name!, tensor])));
  const roles = new Map(programs.flatMap(rolesOf));
  const byRole = new Map<string, Tensor[]>();
  for (const [name, tensor] of state) {
    const role = roles.get(name) ?? '';
    if (!byRole.has(role)) byRole.set(role, []);
    byRole.get(role)!.push(tensor);
  }
  const allocated = new Map(
    [...byRole.values()].flat().map((tensor) => [tensor.name!, backend.allocate(tensor)] as const),
  );
  return new Map(Array.from(state.keys(), (name) => [name, allocated.get(name)!]));
}

/** Of a program's state, by name, what changes it: which op, as which of its inputs. */
function rolesOf(program: Program): [name: string, role: string][] {
  const memory = memoryOf(program);
  return program.nodes.flatMap((node) =>
    mutatedInputs(opOf(node), node.inputs.length).flatMap((position): [string, string][] => {
      const { name } = memory(node.inputs[position]!);
      return name === undefined ? [] : [[name, `${node.op.name} ${position}`]];
    }),
  );
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

/** The averaged weights under the model's names. @param average beside the main one; what is not trained is only in that */
export function averagedWeights({ parameters }: Module, buffers: Buffers, average?: string): Buffers {
  const of = (name: string): Buffer =>
    (buffers.get(averageTensor(average, name)) ?? buffers.get(averageTensor(undefined, name)))!;
  return new Map(parameters.map(({ name }) => [name, of(name)]));
}
