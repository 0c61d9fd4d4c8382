// A training step, ready to run: in one go, or micro-batch by micro-batch.
import type { Backend, Buffer, Buffers, Executable } from '../backends/backend.ts';
import type { Program } from '../program/index.ts';
import type { HostArray } from '../tensor/dtype.ts';
import { sizeOf } from '../tensor/shape.ts';
import { allocateState } from './state.ts';
import {
  type TrainingStep,
  isTotal,
  microBatchProgram,
  partsOf,
  trainingStepProgram,
  updateProgram,
} from './step.ts';

/** Takes the inputs and has the outputs of `trainingStepProgram`, however it is done. */
export interface CompiledStep extends Pick<Executable, 'run' | 'read'> {
  /** The programs that make the loss and its gradients, each with its share of a step's inputs: to inspect a step that went wrong. */
  pieces(inputs: StepInputs): Promise<readonly Piece[]>;
}

export interface Piece {
  readonly executable: Executable;
  readonly inputs: StepInputs;
  /** The index in the step of its first sample. */
  readonly firstSample: number;
}

export type StepInputs = Readonly<Record<string, HostArray>>;

export interface CompiledTraining {
  readonly step: CompiledStep;
  /** The step's whole state: weights, moments and averages, and what is accumulated. */
  readonly buffers: ReadonlyMap<string, Buffer>;
}

/** What a step consists of: one program, or one for each micro-batch and one that ends the step. */
export function stepPrograms(
  training: TrainingStep,
  microBatch: number,
): readonly [whole: Program] | readonly [part: Program, update: Program] {
  if (microBatch >= training.batch) return [trainingStepProgram(training)];
  return [microBatchProgram(training, microBatch), updateProgram(training, microBatch)];
}

/**
 * @param microBatch samples that are computed at a time; the step's gradients are the same within rounding
 * @param fill writes what the state begins with, while the step is compiled
 */
export async function compileStep(
  backend: Backend,
  training: TrainingStep,
  microBatch: number,
  fill: (buffers: Buffers) => Promise<void>,
): Promise<CompiledTraining> {
  const programs = stepPrograms(training, microBatch);
  const buffers = allocateState(backend, ...programs);
  const compile = async (): Promise<CompiledStep> => {
    const part = await backend.compile(programs[0], buffers);
    if (programs.length === 1) return wholeStep(part);
    const update = await backend.compile(programs[1], buffers);
    return new AccumulatedStep({ part, update, buffers }, training, microBatch);
  };
  const [, step] = await Promise.all([fill(buffers), compile()]);
  return { step, buffers };
}

/** @param executable of `trainingStepProgram` */
export function wholeStep(executable: Executable): CompiledStep {
  const { run, read } = executable;
  return { run, read, pieces: async (inputs) => [{ executable, inputs, firstSample: 0 }] };
}

class AccumulatedStep implements CompiledStep {
  readonly #part: Executable;
  readonly #update: Executable;
  readonly #buffers: Buffers;
  readonly #training: TrainingStep;
  readonly #microBatch: number;

  constructor(
    { part, update, buffers }: { part: Executable; update: Executable; buffers: Buffers },
    training: TrainingStep,
    microBatch: number,
  ) {
    this.#part = part;
    this.#update = update;
    this.#buffers = buffers;
    this.#training = training;
    this.#microBatch = microBatch;
  }

  async run(inputs: StepInputs): Promise<void> {
    for (const part of this.#parts()) await this.#part.run(this.#inputsOf(inputs, part));
    await this.#update.run(pick(inputs, this.#update));
  }

  read<N extends string>(names: readonly N[]): Promise<Record<N, HostArray>> {
    return this.#update.read(names);
  }

  async pieces(inputs: StepInputs): Promise<readonly Piece[]> {
    // What was accumulated is no cause of anything.
    for (const [name, buffer] of this.#buffers)
      if (isTotal(name)) await buffer.write(new Float32Array(sizeOf(buffer.shape)));
    return this.#parts().map((part) => ({
      executable: this.#part,
      inputs: this.#inputsOf(inputs, part),
      firstSample: part * this.#microBatch,
    }));
  }

  #parts(): number[] {
    return Array.from({ length: partsOf(this.#training, this.#microBatch) }, (_, part) => part);
  }

  /** What is missing in the last micro-batch is filled up and counts nothing. */
  #inputsOf(inputs: StepInputs, part: number): Record<string, HostArray> {
    const { batch, model } = this.#training;
    const size = this.#microBatch;
    const first = part * size;
    const perSample = ['x0', ...model.conditions.map(({ name }) => name)];
    const own = perSample.map((name): [string, HostArray] => {
      const values = inputs[name]!;
      const elements = values.length / batch;
      const given = values.slice(first * elements, (first + size) * elements);
      if (given.length === size * elements) return [name, given];
      const filled = values.slice(0, size * elements);
      filled.set(given);
      return [name, filled];
    });
    return {
      ...pick(inputs, this.#part),
      ...Object.fromEntries(own),
      firstSample: Int32Array.of(first),
      sampleWeights: Float32Array.from({ length: size }, (_, i) => (first + i < batch ? 1 / batch : 0)),
      restart: Float32Array.of(part === 0 ? 1 : 0),
      part: Float32Array.from(this.#parts(), (each) => (each === part ? 1 : 0)),
    };
  }
}

/** The inputs that a program has. */
function pick(inputs: StepInputs, { program }: Executable): Record<string, HostArray> {
  return Object.fromEntries(
    program.inputs.flatMap(({ name }) => (inputs[name!] ? [[name!, inputs[name!]!]] : [])),
  );
}
