// A training step, ready to run: in one go, or part by part, with samples of any shape.
import type { Backend, Buffer, Buffers, Disposable, Executable } from '../backends/backend.ts';
import { Kept } from '../tensor/kept.ts';
import { disposeAll } from '../tensor/lifetime.ts';
import type { HostArray } from '../tensor/dtype.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import { allocateState } from './state.ts';
import { type PartOfStep, partsInOrder } from './division.ts';
import { isTotal, stateLabels } from './step.ts';
import { type Programs, type StepPrograms, allPrograms } from './step-programs.ts';
import type { Communicator, Wire } from './ranks/communicator.ts';
import { Exchange } from './ranks/exchange.ts';
import type { Program } from '../program/index.ts';

/** Takes the inputs and has the outputs of `trainingStepProgram`, however it is done. */
export interface CompiledStep extends Pick<Executable, 'read' | 'dispose'> {
  /** @param sampleShape of the samples; the task's by default. A shape that is new is compiled first. */
  run(inputs: StepInputs, sampleShape?: Shape): Promise<void>;
  /** The programs that make the loss and its gradients, each with its share of a step's inputs: to inspect a step that went wrong. */
  pieces(inputs: StepInputs, sampleShape?: Shape): Promise<readonly Piece[]>;
  /** What the step's state is that is no weight, in words. */
  readonly labels: ReadonlyMap<string, string>;
}

export interface Piece {
  readonly executable: Executable;
  readonly inputs: StepInputs;
  /** The index in the step of its first sample. */
  readonly firstSample: number;
}

export type StepInputs = Readonly<Record<string, HostArray>>;

/** Disposing of it disposes of the step and of the buffers. */
export interface CompiledTraining extends Disposable {
  readonly step: CompiledStep;
  /** With the other ranks, where there are any. */
  readonly exchange: Exchange | undefined;
  /** The step's whole state: weights, moments and averages, and what is accumulated. Disposed of with the step. */
  readonly buffers: ReadonlyMap<string, Buffer>;
}

export interface StepOptions {
  /** Samples that are computed at a time; the step's gradients are the same within rounding. */
  readonly microBatch: number;
  /** Writes what the state begins with, while the step is compiled. */
  fill(buffers: Buffers): Promise<void>;
  /** Where others own a part of the parameters. */
  readonly communicator?: Communicator | undefined;
  /** What gradients are rounded to on their way between ranks; fp32, not at all, by default. */
  readonly wire?: Wire | undefined;
}

export async function compileStep(
  backend: Backend,
  programs: StepPrograms,
  { microBatch, fill, communicator, wire }: StepOptions,
): Promise<CompiledTraining> {
  const { shapes } = programs;
  const all = shapes.flatMap((shape) => allPrograms(programs.of(microBatch, shape)));
  const buffers = allocateState(backend, ...all);
  const exchange = communicator && new Exchange(communicator, backend, buffers, programs.training, wire);
  const step = new StepOfShapes(backend, programs, buffers, microBatch, exchange);
  const dispose = async (): Promise<void> => {
    await step.dispose();
    await disposeAll(buffers.values());
  };
  // No step waits for the programs of its shape.
  const made = await Promise.allSettled([fill(buffers), ...shapes.map((shape) => step.compile(shape))]);
  const failed = made.find((each) => each.status === 'rejected');
  if (failed === undefined) return { step, exchange, buffers, dispose };
  await dispose();
  throw failed.reason;
}

/** As `Programs` are. */
type Compiled = { readonly whole: Executable } | CompiledParts;

interface CompiledParts {
  readonly part: Executable;
  readonly norms?: Executable | undefined;
  readonly update: Executable;
}

/** Executables for each shape of samples, over one state. */
class StepOfShapes implements CompiledStep {
  readonly #backend: Backend;
  readonly #programs: StepPrograms;
  readonly #buffers: Buffers;
  readonly #microBatch: number;
  readonly #exchange: Exchange | undefined;
  readonly #compiled = new Kept<Compiled>('the training step', (all) => disposeAll(allExecutables(all)));
  /** Has the outputs of the last run. */
  #last: Executable | undefined;

  constructor(
    backend: Backend,
    programs: StepPrograms,
    buffers: Buffers,
    microBatch: number,
    exchange: Exchange | undefined,
  ) {
    this.#backend = backend;
    this.#programs = programs;
    this.#buffers = buffers;
    this.#microBatch = microBatch;
    this.#exchange = exchange;
  }

  get labels(): ReadonlyMap<string, string> {
    return stateLabels(this.#programs.training);
  }

  compile(sampleShape: Shape): Promise<Compiled> {
    return this.#compiled.get(sampleShape.join(' '), () =>
      this.#compileAll(this.#programs.of(this.#microBatch, sampleShape)),
    );
  }

  async #compileAll(programs: Programs): Promise<Compiled> {
    const made: Executable[] = [];
    const compile = async (program: Program): Promise<Executable> => {
      const executable = await this.#backend.compile(program, this.#buffers);
      made.push(executable);
      return executable;
    };
    try {
      if ('whole' in programs) return { whole: await compile(programs.whole) };
      const part = await compile(programs.part);
      const norms = programs.norms && (await compile(programs.norms));
      return { part, norms, update: await compile(programs.update) };
    } catch (error) {
      await disposeAll(made);
      throw error;
    }
  }

  async run(inputs: StepInputs, sampleShape: Shape = this.#shape): Promise<void> {
    const compiled = await this.compile(sampleShape);
    if ('whole' in compiled) {
      this.#last = compiled.whole;
      return compiled.whole.run(pick(inputs, compiled.whole));
    }
    const { part, norms, update } = compiled;
    this.#last = update;
    const exchange = norms && this.#exchange;
    const parts = this.#parts(sampleShape);
    for (const each of parts) {
      const watch = each.index === parts.length - 1 ? exchange?.watchGradients() : undefined;
      await part.run(this.#inputsOf(inputs, part, sampleShape, each), watch);
    }
    const told = await exchange?.waiting.during(() => exchange.sum(norms!));
    await update.run(pick({ ...inputs, ...told }, update), exchange?.watchWeights());
    await exchange?.waiting.during(() => exchange.shareWeights());
  }

  async read<N extends string>(names: readonly N[]): Promise<Record<N, HostArray>> {
    const last = this.#last ?? allExecutables(await this.compile(this.#shape)).at(-1)!;
    return last.read(names);
  }

  dispose(): Promise<void> {
    return this.#compiled.dispose();
  }

  async pieces(inputs: StepInputs, sampleShape: Shape = this.#shape): Promise<readonly Piece[]> {
    const compiled = await this.compile(sampleShape);
    if ('whole' in compiled) {
      const { whole } = compiled;
      return [{ executable: whole, inputs: pick(inputs, whole), firstSample: 0 }];
    }
    // What was accumulated is no cause of anything.
    for (const [name, buffer] of this.#buffers)
      if (isTotal(name) && buffer.dtype === 'float32')
        await buffer.write(new Float32Array(sizeOf(buffer.shape)));
    return this.#parts(sampleShape).map((part) => ({
      executable: compiled.part,
      inputs: this.#inputsOf(inputs, compiled.part, sampleShape, part),
      firstSample: part.first,
    }));
  }

  get #shape(): Shape {
    return this.#programs.training.task.sampleShape;
  }

  #parts(sampleShape: Shape): PartOfStep[] {
    return partsInOrder(this.#programs.divisionOf(this.#microBatch, sampleShape));
  }

  /** What is missing in the last part of a shard is filled up and counts nothing. */
  #inputsOf(inputs: StepInputs, executable: Executable, sampleShape: Shape, part: PartOfStep): StepInputs {
    const { batch, globalBatch = batch, task } = this.#programs.stepOf(sampleShape);
    const { size, parts, sums } = this.#programs.divisionOf(this.#microBatch, sampleShape);
    const { first, count, index } = part;
    const ofSamples = task.inputs(sampleShape).map(({ name }): [string, HostArray] => {
      const values = inputs[name]!;
      const elements = values.length / batch;
      return [
        name,
        filledUp(values.subarray(first * elements, (first + count) * elements), size * elements, values),
      ];
    });
    // The index in the global batch counts from where the samples of this process begin.
    const begin = inputs['firstSample']?.[0] ?? 0;
    const own: StepInputs = {
      ...Object.fromEntries(ofSamples),
      firstSample: Int32Array.of(begin + first),
      sampleWeights: Float32Array.from({ length: size }, (_, i) => (i < count ? 1 / globalBatch : 0)),
      taken: flags(sums, (sum) => part.taken.includes(sum)),
      made: flags(sums, (sum) => sum === part.made),
      isFirst: flags(1, () => index === 0),
      part: flags(parts, (i) => i === index),
    };
    return pick({ ...inputs, ...own }, executable);
  }
}

/** In the order in which they run. */
function allExecutables(compiled: Compiled): Executable[] {
  if ('whole' in compiled) return [compiled.whole];
  const { part, norms, update } = compiled;
  return [part, ...(norms ? [norms] : []), update];
}

function flags(length: number, isSet: (i: number) => boolean): Float32Array {
  return Float32Array.from({ length }, (_, i) => (isSet(i) ? 1 : 0));
}

/** @param from whose beginning fills up what is missing */
function filledUp(values: HostArray, size: number, from: HostArray): HostArray {
  if (values.length === size) return values;
  const filled = from.slice(0, size);
  filled.set(values);
  return filled;
}

/** The inputs that a program has. */
function pick(inputs: StepInputs, { program }: Executable): StepInputs {
  return Object.fromEntries(
    program.inputs.flatMap(({ name }) => (inputs[name!] ? [[name!, inputs[name!]!]] : [])),
  );
}
