// What a step did, told by the state that it left behind: a program of its own, which runs only when a step is logged.
import type { Backend, Buffers, Executable } from '../backends/backend.ts';
import type { Module } from '../nn/module.ts';
import { constant, globalNorm, sub } from '../ops/index.ts';
import { type ParameterGroup, optimizerOf, slotTensor } from '../optim/optimizer.ts';
import { type Program, trace } from '../program/index.ts';
import type { Graph, Tensor } from '../tensor/tensor.ts';
import { averageTensor } from './averages.ts';
import type { HostArray } from '../tensor/dtype.ts';
import type { Communicator } from './ranks/communicator.ts';
import { type Ownership, keptPart, ownedPart, ownedShape, ownsAll, slicesOf } from './ranks/ownership.ts';
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
 * Norms of what is owned of each parameter, [owned slices, P] each: `weights`, `averages` (their distance from the average), and `updates`, that of what
 * the last step was a multiple of (`Retrace.direction`).
 *
 * Inputs: <group>/<name> [], the scalars of each optimizer. State: that of the training step, which is only read.
 */
export function insightProgram(
  module: Module,
  groups: readonly ParameterGroup[],
  own: Ownership = ownsAll(),
): Program {
  return trace('insight', (graph) => {
    const scalars = groups.map(({ optimizer }, group) =>
      declareScalars(graph, optimizer.retrace.scalars(1), group),
    );
    // One parameter after the other: what is made on the way is gone before the next.
    const norms = module.parameters.map((spec) => {
      const optimizer = optimizerOf(groups, spec);
      const group = groups.findIndex((each) => each.optimizer === optimizer);
      const weights = graph.stateful(spec.name, spec.shape);
      const shape = ownedShape(spec.shape, own);
      const kept = shape && {
        average: graph.stateful(averageTensor(undefined, spec.name), shape),
        slots: optimizer.slots.map(
          (slot) => [slot.name, graph.stateful(slotTensor(optimizer, slot, spec.name), shape)] as const,
        ),
      };
      return slicesOf(own).map((slice) => {
        const of = ownedPart(weights, slice);
        if (of === undefined || kept === undefined) {
          const none = constant(weights, [], Float64Array.of(0));
          return { weights: none, averages: none, updates: none };
        }
        const part = (each: Tensor): Tensor => keptPart(each, spec.shape, own, slice)!;
        const slots = Object.fromEntries(kept.slots.map(([name, each]) => [name, part(each)]));
        return {
          weights: globalNorm([of]),
          averages: globalNorm([sub(part(kept.average), of)]),
          updates: globalNorm([optimizer.retrace.direction(of, slots, scalars[group]!)]),
        };
      });
    });
    const outputOf = (name: 'weights' | 'averages' | 'updates'): Tensor =>
      stack(slicesOf(own).flatMap((_, slice) => norms.map((ofSlices) => ofSlices[slice]![name])));
    return { weights: outputOf('weights'), averages: outputOf('averages'), updates: outputOf('updates') };
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
  readonly #communicator: Communicator | undefined;

  private constructor(
    executable: Executable,
    module: Module,
    groups: readonly ParameterGroup[],
    communicator: Communicator | undefined,
  ) {
    this.#executable = executable;
    this.#module = module;
    this.#groups = groups;
    this.#communicator = communicator;
  }

  /**
   * @param buffers the training step's state
   * @param own what of it is kept here; all by default @param communicator where others keep the rest
   */
  static async compile(
    backend: Backend,
    buffers: Buffers,
    module: Module,
    groups: readonly ParameterGroup[],
    own?: Ownership,
    communicator?: Communicator,
  ): Promise<Insight> {
    const executable = await backend.compile(insightProgram(module, groups, own), buffers);
    return new Insight(executable, module, groups, communicator);
  }

  /** The state stays as it is. */
  dispose(): Promise<void> {
    return this.#executable.dispose();
  }

  /** What the step that ran last did. All ranks call it. */
  async measure(update: number, learningRate: number): Promise<Distances> {
    const scalars = this.#groups.flatMap(({ optimizer }, group) =>
      Object.entries(optimizer.retrace.scalars(update)).map(
        ([name, value]) => [scalarInput(group, name), Float32Array.of(value)] as const,
      ),
    );
    await this.#executable.run(Object.fromEntries(scalars));
    const norms = await this.#executable.read(['weights', 'averages', 'updates']);
    const weights = Math.hypot(...(await this.#ofAll(norms.weights)));
    const averages = Math.hypot(...(await this.#ofAll(norms.averages)));
    const { parameters } = this.#module;
    const updates = (await this.#ofAll(norms.updates)).map((norm, i) => {
      const { retrace } = optimizerOf(this.#groups, parameters[i % parameters.length]!);
      return norm * retrace.multiple(update, learningRate);
    });
    return { updateRatio: Math.hypot(...updates) / weights, emaDistance: averages / weights };
  }

  /** Of all slices, in their order. */
  async #ofAll(norms: HostArray): Promise<number[]> {
    const own = Float32Array.from(norms);
    return [...((await this.#communicator?.gather(own)) ?? own)];
  }
}
