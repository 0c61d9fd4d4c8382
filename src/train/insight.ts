// What a step did, told by the state that it left behind: a program of its own, which runs only when a step is logged.
import type { Backend, Buffers, Executable } from '../backends/backend.ts';
import type { Module } from '../nn/module.ts';
import { globalNorm, sub } from '../ops/index.ts';
import { type ParameterGroup, optimizerOf, slotTensor } from '../optim/optimizer.ts';
import { type Program, trace } from '../program/index.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';
import { averageTensor } from './averages.ts';
import { stack } from './step-outputs.ts';

/** How far apart the sets of weights of a run are, each in proportion to the norm of the weights. */
export interface Distances {
  /** From the weights before the step to those after it. */
  readonly updateRatio: number;
  /** From the weights to their average. */
  readonly emaDistance: number;
}

/** Of a number that one of the optimizers is told. */
const scalarInput = (group: number, name: string): string => `${group}/${name}`;

/**
 * Norms of each parameter, [P] each: `weights`, `averages` (their distance from the average), and `updates`, that of what
 * the last step was a multiple of (`Retrace.direction`).
 *
 * Inputs: <group>/<name> [], the scalars of each optimizer. State: that of the training step, which is only read.
 */
export function insightProgram(module: Module, groups: readonly ParameterGroup[]): Program {
  return trace('insight', (graph) => {
    const scalars = groups.map(({ optimizer }, group) =>
      declareScalars(graph, optimizer.retrace.scalars(1), group),
    );
    // One parameter after the other: what is made on the way is gone before the next.
    const norms = module.parameters.map((spec) => {
      const optimizer = optimizerOf(groups, spec);
      const group = groups.findIndex((each) => each.optimizer === optimizer);
      const kept = (name: string): Tensor => graph.stateful(name, spec.shape);
      const weights = kept(spec.name);
      const slots = optimizer.slots.map(
        (slot) => [slot.name, kept(slotTensor(optimizer, slot, spec.name))] as const,
      );
      const average = kept(averageTensor(undefined, spec.name));
      return {
        weights: globalNorm([weights]),
        averages: globalNorm([sub(average, weights)]),
        updates: globalNorm([
          optimizer.retrace.direction(weights, Object.fromEntries(slots), scalars[group]!),
        ]),
      };
    });
    return {
      weights: stack(norms.map(({ weights }) => weights)),
      averages: stack(norms.map(({ averages }) => averages)),
      updates: stack(norms.map(({ updates }) => updates)),
    };
  });
}

function declareScalars(
  graph: Graph,
  scalars: Readonly<Record<string, number>>,
  group: number,
): Record<string, Tensor> {
  return Object.fromEntries(
    Object.keys(scalars).map((name) => [name, graph.input(scalarInput(group, name), [])]),
  );
}

export class Insight {
  readonly #module: Module;
  readonly #groups: readonly ParameterGroup[];
  readonly #executable: Executable;

  private constructor(executable: Executable, module: Module, groups: readonly ParameterGroup[]) {
    this.#executable = executable;
    this.#module = module;
    this.#groups = groups;
  }

  /** @param buffers the training step's state */
  static async compile(
    backend: Backend,
    buffers: Buffers,
    module: Module,
    groups: readonly ParameterGroup[],
  ): Promise<Insight> {
    return new Insight(await backend.compile(insightProgram(module, groups), buffers), module, groups);
  }

  /** The state stays as it is. */
  dispose(): Promise<void> {
    return this.#executable.dispose();
  }

  /** What the step that ran last did. */
  async measure(update: number, learningRate: number): Promise<Distances> {
    const scalars = this.#groups.flatMap(({ optimizer }, group) =>
      Object.entries(optimizer.retrace.scalars(update)).map(
        ([name, value]) => [scalarInput(group, name), Float32Array.of(value)] as const,
      ),
    );
    await this.#executable.run(Object.fromEntries(scalars));
    const norms = await this.#executable.read(['weights', 'averages', 'updates']);
    const weights = Math.hypot(...norms.weights);
    const averages = Math.hypot(...norms.averages);
    const updates = this.#module.parameters.map((spec, i) => {
      const { retrace } = optimizerOf(this.#groups, spec);
      return norms.updates[i]! * retrace.multiple(update, learningRate);
    });
    return { updateRatio: Math.hypot(...updates) / weights, emaDistance: averages / weights };
  }
}
