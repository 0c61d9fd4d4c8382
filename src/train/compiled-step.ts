// A training step, ready to run: in one go, or part by part, with samples of any shape.
import type { Backend, Buffer, Buffers, Disposable, Executable } from '../backends/backend.ts';
import { Kept } from '../tensor/kept.ts';
import { disposeAll } from '../tensor/lifetime.ts';
import type { HostArray } from '../tensor/dtype.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import { allocateState } from './state.ts';
import { type PartOfStep, partsInOrder } from './division.ts';
import { isReduced, isTotal, stateLabels } from './step.ts';
import type { Programs, StepPrograms } from './step-programs.ts';

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

/** Adds up what the processes of a run have each made of their samples: the sums that an update reads. */
export interface Reducer {
  /** @param totals of this process, its share of the loss and of each gradient, by their names; afterwards those of all processes */
  reduce(totals: Buffers): Promise<void>;
}

/** Disposing of it disposes of the step and of the buffers. */
export interface CompiledTraining extends Disposable {
  readonly step: CompiledStep;
  /** The step's whole state: weights, moments and averages, and what is accumulated. Disposed of with the step. */
  readonly buffers: ReadonlyMap<string, Buffer>;
}

export interface StepOptions {
  /** Samples that are computed at a time; the step's gradients are the same within rounding. */
  readonly microBatch: number;
  /** Writes what the state begins with, while the step is compiled. */
  fill(buffers: Buffers): Promise<void>;
  /** Where `programs` were made to be reduced. */
  readonly reducer?: Reducer | undefined;
}

export async function compileStep(
  backend: Backend,
  programs: StepPrograms,
  { microBatch, fill, reducer }: StepOptions,
): Promise<CompiledTraining> {
  const { shapes } = programs;
  const buffers = allocateState(backend, ...shapes.flatMap((shape) => programs.of(microBatch, shape)));
  const step = new StepOfShapes(backend, programs, buffers, microBatch, reducer);
  const dispose = async (): Promise<void> => {
    await step.dispose();
    await disposeAll(buffers.values());
  };
  // No step waits for the programs of its shape.
  const made = await Promise.allSettled([fill(buffers), ...shapes.map((shape) => step.compile(shape))]);
  const failed = made.find((each) => each.status === 'rejected');
  if (failed === undefined) return { step, buffers, dispose };
  await dispose();
  throw failed.reason;
}

/** As `Programs` are. */
type Compiled = readonly [first: Executable, ...rest: Executable[]];

/** Executables for each shape of samples, over one state. */
class StepOfShapes implements CompiledStep {
  readonly #backend: Backend;
  readonly #programs: StepPrograms;
  readonly #buffers: Buffers;
  readonly #microBatch: number;
  readonly #reducer: Reducer | undefined;
  readonly #compiled = new Kept<Compiled>('the training step', disposeAll);
  /** Has the outputs of the last run. */
  #last: Executable | undefined;

  constructor(
    backend: Backend,
    programs: StepPrograms,
    buffers: Buffers,
    microBatch: number,
    reducer: Reducer | undefined,
  ) {
    this.#backend = backend;
    this.#programs = programs;
    this.#buffers = buffers;
    this.#microBatch = microBatch;
    this.#reducer = reducer;
  }

  get labels(): ReadonlyMap<string, string> {
    return stateLabels(this.#programs.training);
  }

  compile(sampleShape: Shape): Promise<Compiled> {
    return this.#compiled.get(sampleShape.join(' '), () =>
      this.#compileAll(this.#programs.of(this.#microBatch, sampleShape)),
    );
  }

  async #compileAll([first, ...rest]: Programs): Promise<Compiled> {
    const compiled: [Executable, ...Executable[]] = [await this.#backend.compile(first, this.#buffers)];
    try {
      for (const program of rest) compiled.push(await this.#backend.compile(program, this.#buffers));
      return compiled;
    } catch (error) {
      await disposeAll(compiled);
      throw error;
    }
  }

  async run(inputs: StepInputs, sampleShape: Shape = this.#shape): Promise<void> {
    const [first, ...rest] = await this.compile(sampleShape);
    const update = rest.pop();
    this.#last = update ?? first;
    if (update === undefined) return first.run(pick(inputs, first));
    for (const part of this.#parts(sampleShape)) {
      await first.run(this.#inputsOf(inputs, first, sampleShape, part));
      for (const { level, restart } of part.folds) await rest[level]!.run({ restart: flag(restart) });
    }
    await this.#reducer?.reduce(this.#state(isReduced));
    await update.run(pick(inputs, update));
  }

  async read<N extends string>(names: readonly N[]): Promise<Record<N, HostArray>> {
    const last = this.#last ?? (await this.compile(this.#shape)).at(-1)!;
    return last.read(names);
  }

  dispose(): Promise<void> {
    return this.#compiled.dispose();
  }

  async pieces(inputs: StepInputs, sampleShape: Shape = this.#shape): Promise<readonly Piece[]> {
    const [executable, ...rest] = await this.compile(sampleShape);
    if (rest.length === 0) return [{ executable, inputs: pick(inputs, executable), firstSample: 0 }];
    // What was accumulated is no cause of anything.
    for (const buffer of this.#state(isTotal).values())
      if (buffer.dtype === 'float32') await buffer.write(new Float32Array(sizeOf(buffer.shape)));
    return this.#parts(sampleShape).map((part) => ({
      executable,
      inputs: this.#inputsOf(inputs, executable, sampleShape, part),
      firstSample: part.first,
    }));
  }

  get #shape(): Shape {
    return this.#programs.training.task.sampleShape;
  }

  #state(has: (name: string) => boolean): Buffers {
    return new Map([...this.#buffers].filter(([name]) => has(name)));
  }

  #parts(sampleShape: Shape): PartOfStep[] {
    return partsInOrder(this.#programs.divisionOf(this.#microBatch, sampleShape));
  }

  /** What is missing in the last part of a shard is filled up and counts nothing. */
  #inputsOf(inputs: StepInputs, executable: Executable, sampleShape: Shape, part: PartOfStep): StepInputs {
    const { batch, globalBatch = batch, task } = this.#programs.stepOf(sampleShape);
    const { size, parts } = this.#programs.divisionOf(this.#microBatch, sampleShape);
    const { first, count, beginsShard, index } = part;
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
      restart: flag(beginsShard),
      isFirst: flag(index === 0),
      part: Float32Array.from({ length: parts }, (_, i) => (i === index ? 1 : 0)),
    };
    return pick({ ...inputs, ...own }, executable);
  }
}

function flag(isSet: boolean): Float32Array {
  return Float32Array.of(isSet ? 1 : 0);
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
