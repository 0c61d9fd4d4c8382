// The whole contract between programs and what runs them.
import type { MemoryPlan, Program } from '../program/index.ts';
import type { HostArray } from '../tensor/dtype.ts';
import type { TensorType } from '../tensor/tensor.ts';
import type { Disposable } from '../tensor/lifetime.ts';
import type { Finding } from './inspect.ts';

export type { Disposable } from '../tensor/lifetime.ts';
export type { Finding } from './inspect.ts';
export { DeviceLostError, DeviceMemoryError } from './device-errors.ts';

/** Memory that lives from run to run: weights, moments, averages. Programs that are bound to it cannot run when it is disposed of. */
export interface Buffer extends TensorType, Disposable {
  /** A copy of the numbers. Waits for a run that is under way. */
  read(): Promise<HostArray>;
  /**
   * Like `read`, into memory that the caller has; as fast as the memory is copied.
   * @param target as many elements as the shape holds: an Int32Array for int32, else a Float32Array or Float64Array
   */
  readInto(target: HostArray): Promise<void>;
  /** @param values as many as the shape holds; rounded to the buffer's dtype */
  write(values: HostArray): Promise<void>;
}

/** What a compiled program reads and writes outside its arena, by the names of its state. */
export type Buffers = ReadonlyMap<string, Buffer>;

/** Waits for state that a run is done with while it goes on, such as gradients that others may have already. */
export interface StateWatch {
  /** Of the program's state; others are not told of. */
  readonly names: readonly string[];
  /** Told of at once are so many bytes of it, or what makes them more; at the end what is left. */
  readonly bytes: number;
  /**
   * Told, on the JavaScript thread, of state that the run will neither read nor change any more, in the order in which it comes to that:
   * of each name once, and of the last before the run's promise settles. From then on its memory (`Backend.view`) may be read and
   * written, by other threads, too. A backend that learns of it no earlier tells of all at the end. What this throws is thrown by the
   * run, when it has ended.
   */
  onFinal(names: readonly string[]): void;
}

/** A program made ready for one backend. Disposing of it leaves its buffers as they are. */
export interface Executable extends Disposable {
  /** The program as it runs there: lowered, in the backend's precision. */
  readonly program: Program;
  readonly plan: MemoryPlan;
  /**
   * Runs the whole program once. Neither the arrays nor the buffers may be touched before the promise settles, but for what `watch` is
   * told of.
   * @param inputs one array for each input of the program, with as many elements as its shape
   * @param watch what is to be told of while the program runs; that costs nothing where nobody asks
   */
  run(inputs: Readonly<Record<string, HostArray>>, watch?: StateWatch): Promise<void>;
  /**
   * Copies of outputs of the last run, by name. Those that are wanted together are asked for together: a device is waited for once.
   * @param names of outputs of the program
   */
  read<N extends string>(names: readonly N[]): Promise<Record<N, HostArray>>;
  /**
   * Computes what a run with these inputs would, without changing any state, and looks for the value that first was NaN or
   * infinite: undefined where no output is, and nothing that state would be changed by. Takes several times as long as a run, and
   * leaves nothing that can be read: run again before `read`.
   */
  inspect(inputs: Readonly<Record<string, HostArray>>): Promise<Finding | undefined>;
}

/** In bytes, of programs that are kept side by side, over one state. */
export interface DeviceNeeds {
  readonly state: number;
  /** Inputs, outputs, and what is made on the way. */
  readonly values: number;
  /** What kernels need beside that. */
  readonly scratch: number;
  /** The largest value, and the largest that the device allows. */
  readonly largest: number;
  readonly most: number;
  /** Whether the device has memory of its own, of which nobody knows how much; else all is of this machine's. */
  readonly isSeparate: boolean;
}

/**
 * fp32: everything in float32. bf16: products and what lies between them in bfloat16, everything else in float32. fp16: the same
 * in float16, whose range is so small that it needs a scaled loss; a backend may emulate it in float32 memory.
 */
export type Precision = 'fp32' | 'bf16' | 'fp16';

/** What a device was found to be fastest with, by the names of devices and of classes of work: plain JSON. */
export interface TuningRecord {
  readonly version: 1;
  readonly devices: Readonly<Record<string, Readonly<Record<string, TuningChoice>>>>;
}

export interface TuningChoice {
  /** How work of the class is shared out. */
  readonly way: string;
  /** Of which kernels that is the name: others are chosen for anew. */
  readonly kernels: string;
  /** How long it took; absent where it was not measured, and the way is the usual one. */
  readonly milliseconds?: number;
}

/** Where a backend keeps what it chose by measurement. What it cannot read or write, it tells of, and goes on. */
export interface TuningStore {
  /** As users know it: a file, for example. */
  readonly name: string;
  /** @returns what was written last; undefined where that is nothing */
  read(): Promise<unknown>;
  /** Left out where nothing may be changed. */
  write?(record: TuningRecord): Promise<void>;
}

/** Disposing of it disposes of all that it has allocated and compiled. */
export interface Backend extends Disposable {
  /** `reference`, `cpu`, ... */
  readonly name: string;
  readonly precision: Precision;
  /** The instruction set, or the device, where there are several; results are equal to the bit only with the same one. */
  readonly isa?: string;
  /**
   * Whether `run` settles when the run has been handed over, not when it is done: then the next can be handed over at once. What is asked
   * for is done in turn, so that a read is of the run that was asked for before it.
   */
  readonly runsAhead?: boolean;
  /** One line for people: the machine, threads, instruction set. */
  describe(): string;
  /** Zeroed memory. */
  allocate(type: TensorType): Buffer;
  /** A float32 buffer's own memory, where the host sees it: to be read and written while nothing runs, or
   * where a run is done with it (`StateWatch`). */
  view?(buffer: Buffer): Float32Array;
  /** The program as it would run here: in the backend's precision, of ops that it has kernels for. Takes no memory. */
  lower(program: Program): Program;
  /**
   * Lowers, plans and compiles a program.
   * @param buffers one of this backend's buffers for each state tensor of the program, with its shape and dtype
   */
  compile(program: Program, buffers: Buffers): Promise<Executable>;
  /** Bytes that the kernels of a lowered program need beside its plan; a backend's programs share them. Takes no memory. */
  scratchBytes?(program: Program): number;
  /**
   * Makes memory ready for the largest of the programs that are to be compiled, so that all of them share it.
   * @param bytes of its arena, by its plan
   */
  reserve?(bytes: number): void;
  /** What lowered programs take of the memory of a device, where that is not the plan's arena. Takes no memory. */
  deviceNeeds?(programs: readonly Program[]): DeviceNeeds;
  /**
   * From now on programs that are compiled use what is kept there, before anything else, and what is chosen for them is kept there before
   * they run: with the same choices, a run's numbers are the same to the bit. Left out where nothing is chosen by measurement.
   * @returns ends that
   */
  keepTuning?(store: TuningStore): Promise<() => void>;
  /** The most floating-point operations per second that products can reach here; left out where that means nothing. */
  measurePeak?(): Promise<number>;
}
