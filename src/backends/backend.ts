// The whole contract between programs and what runs them.
import type { MemoryPlan, Program } from '../program/index.ts';
import type { HostArray } from '../tensor/dtype.ts';
import type { TensorType } from '../tensor/tensor.ts';

/** Memory that lives from run to run: weights, moments, averages. */
export interface Buffer extends TensorType {
  /** A copy of the numbers. Waits for a run that is under way. */
  read(): Promise<HostArray>;
  /** @param values as many as the shape holds; rounded to the buffer's dtype */
  write(values: HostArray): Promise<void>;
}

/** What a compiled program reads and writes outside its arena, by the names of its state. */
export type Buffers = ReadonlyMap<string, Buffer>;

/** A program made ready for one backend. */
export interface Executable {
  /** The program as it runs there: lowered, in the backend's precision. */
  readonly program: Program;
  readonly plan: MemoryPlan;
  /**
   * Runs the whole program once. Neither the arrays nor the buffers may be touched before the promise settles.
   * @param inputs one array for each input of the program, with as many elements as its shape
   */
  run(inputs: Readonly<Record<string, HostArray>>): Promise<void>;
  /** A copy of an output of the last run. */
  read(output: string): Promise<HostArray>;
}

export type Precision = 'fp32' | 'bf16';

export interface Backend {
  /** `reference`, `cpu`, ... */
  readonly name: string;
  readonly precision: Precision;
  /** The instruction set, where there are several; results are equal to the bit only with the same one. */
  readonly isa?: string;
  /** One line for people: the machine, threads, instruction set. */
  describe(): string;
  /** Zeroed memory. */
  allocate(type: TensorType): Buffer;
  /** The program as it would run here: in the backend's precision, of ops that it has kernels for. Takes no memory. */
  lower(program: Program): Program;
  /**
   * Lowers, plans and compiles a program.
   * @param buffers one of this backend's buffers for each state tensor of the program, with its shape and dtype
   */
  compile(program: Program, buffers: Buffers): Executable;
}
