// Binds a lowered program to memory and kernels.
import { isBuiltIn } from '../../ops/registry.ts';
import type { Dense } from '../../ops/op.ts';
import { type Program, isWork, opOf, placeBeside, planMemory } from '../../program/index.ts';
import { bytesPerElement, type HostArray } from '../../tensor/dtype.ts';
import { internalError } from '../../tensor/errors.ts';
import { Lifetime } from '../../tensor/lifetime.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { Node, Tensor } from '../../tensor/tensor.ts';
import { othersTurn } from '../../tensor/turn.ts';
import { checkInputs, checkLives, checkOutputs, unreadError } from '../checks.ts';
import { FinalState } from '../final-state.ts';
import { Held, holding } from '../held.ts';
import { inspectProgram } from '../inspect.ts';
import { profileOf } from '../profile.ts';
import { type WasmBuffer, numbersAt } from './buffer.ts';
import type { WasmExecutable } from './index.ts';
import type { Machine } from './machine.ts';
import { type Places, kernels } from './ops/index.ts';

type Step = () => void;

/** Bytes that the kernels of a lowered program need beside its plan. */
export function scratchBytes({ nodes }: Program): number {
  return Math.max(0, ...nodes.map((node) => kernelOf(node)?.scratch?.(node) ?? 0));
}

/** @throws RectiflowError where there is not so much memory; nothing is held then */
export function bindProgram(
  program: Program,
  buffers: ReadonlyMap<string, WasmBuffer>,
  machine: Machine,
): WasmExecutable {
  return holding(new WasmHeld(machine), (held) => bind(program, buffers, machine, held));
}

/** What a program holds of memory. */
class WasmHeld extends Held {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    super();
    this.#machine = machine;
  }

  share(of: 'arena' | 'scratch', bytes: number): number {
    const { start, release } = this.#machine[of].lease(bytes);
    this.add(release);
    return start;
  }

  own(bytes: number): number {
    const { memory } = this.#machine;
    const start = memory.allocate(bytes);
    this.add(() => memory.release(start, bytes));
    return start;
  }
}

function bind(
  program: Program,
  buffers: ReadonlyMap<string, WasmBuffer>,
  machine: Machine,
  held: WasmHeld,
): WasmExecutable {
  const { exclusively } = machine;
  const plan = planMemory(program);
  const starts = placeValues(program, buffers, held);
  const at = (tensor: Tensor): number => {
    const { memory, start } = plan.locate(tensor);
    const first = starts.get(memory);
    if (first === undefined) throw internalError(`wasm: value %${tensor.id} has no memory`);
    return first + start * bytesPerElement(tensor.dtype);
  };
  const numbersOf = (tensor: Tensor): Float32Array | Int32Array => numbersAt(machine, tensor, at(tensor));
  const places: Places = {
    numbersOf,
    at,
    atWanted: (tensor) => (tensor === undefined || plan.leftOut.has(tensor) ? 0 : at(tensor)),
    scratch: held.share('scratch', scratchBytes(program)),
  };
  for (const { outputs, values } of program.nodes) if (values) numbersOf(outputs[0]!).set(values);

  const work = program.nodes.filter(isWork);
  const steps = new Map(work.map((node) => [node, stepOf(node)]));
  const milliseconds = new Float64Array(work.length);
  let runs = 0;
  let hasRun = false;
  const life = machine.lives.add(
    new Lifetime(`program ${program.name}`, () => exclusively(() => held.release())),
  );
  const feed = (inputs: Readonly<Record<string, HostArray>>): void => {
    for (const tensor of program.inputs) numbersOf(tensor).set(inputs[tensor.name!]!);
  };

  return {
    program,
    plan,
    async run(inputs, watch) {
      checkLives(program, life, buffers);
      checkInputs(program, inputs);
      const final = watch && new FinalState(program, watch);
      await exclusively(async () => {
        // Work that never waits would starve timers and messages.
        await othersTurn();
        feed(inputs);
        let began = performance.now();
        work.forEach((node, i) => {
          steps.get(node)!();
          const ended = performance.now();
          milliseconds[i]! += ended - began;
          began = ended;
        });
        runs++;
        hasRun = true;
        final?.end();
      });
    },
    async read<N extends string>(names: readonly N[]): Promise<Record<N, HostArray>> {
      life.check();
      const outputs = checkOutputs(program, names);
      return exclusively(() => {
        if (!hasRun) throw unreadError(program, names);
        const values = outputs.map(([name, tensor]) => [name, numbersOf(tensor).slice()]);
        return Object.fromEntries(values) as Record<N, HostArray>;
      });
    },
    async inspect(inputs) {
      checkLives(program, life, buffers);
      checkInputs(program, inputs);
      return exclusively(() => {
        feed(inputs);
        hasRun = false;
        return inspectProgram(program, {
          run: (node) => steps.get(node)?.(),
          read: (tensor) => (plan.leftOut.has(tensor) ? undefined : numbersOf(tensor)),
        });
      });
    },
    profile() {
      life.check();
      return profileOf(
        work.map((node, i) => ({ node, milliseconds: milliseconds[i]! })),
        runs,
      );
    },
    dispose: () => life.dispose(),
  };

  function stepOf(node: Node): Step {
    const op = opOf(node);
    const kernel = kernelOf(node);
    if (kernel !== undefined) return kernel.bind(node, places, machine.kernels);
    if (op.kind !== 'primitive') throw internalError(`wasm: ${op.name} should have been decomposed`);
    return () => {
      const dense = (tensor: Tensor): Dense => ({ shape: tensor.shape, data: numbersOf(tensor) });
      const outputs = node.outputs.map((tensor) =>
        plan.leftOut.has(tensor)
          ? { shape: tensor.shape, data: new Float32Array(sizeOf(tensor.shape)) }
          : dense(tensor),
      );
      // Plain implementations are given memory that is zeroed.
      for (const { data } of outputs) data.fill(0);
      op.evaluate(node.inputs.map(dense), outputs, node.attributes);
    };
  }
}

function kernelOf(node: Node): ReturnType<typeof kernels.get> {
  const op = opOf(node);
  const kernel = isBuiltIn(op) ? kernels.get(op.name) : undefined;
  return kernel?.fits?.(node) === false ? undefined : kernel;
}

/** Where the values that are stored begin: intermediates in the arena, what keeps its memory between runs beside it, state in its buffers. */
function placeValues(
  program: Program,
  buffers: ReadonlyMap<string, WasmBuffer>,
  held: WasmHeld,
): ReadonlyMap<Tensor, number> {
  const plan = planMemory(program);
  const starts = new Map<Tensor, number>();
  const arena = held.share('arena', plan.arenaBytes);
  for (const { tensor, offset } of plan.placements) starts.set(tensor, arena + offset);
  const beside = placeBeside(program, plan);
  const own = held.own(beside.bytes);
  for (const [tensor, offset] of beside.offsets) starts.set(tensor, own + offset);
  for (const tensor of program.state) starts.set(tensor, buffers.get(tensor.name!)!.start);
  return starts;
}
