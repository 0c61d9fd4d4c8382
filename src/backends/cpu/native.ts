// Loads the native addon. This is the one place that knows where it lies and what it exports.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { DType } from '../../tensor/dtype.ts';
import { packageFolder } from '../../host/package-folder.ts';
import { RectiflowError } from '../../tensor/errors.ts';
import type { Precision } from '../backend.ts';

/** Instruction sets that kernels are built for, best first. */
export const knownIsas = ['avx512-bf16', 'avx512', 'avx2', 'portable'] as const;
export type Isa = (typeof knownIsas)[number];

/** A set of threads. It serves one run at a time; runs started meanwhile wait in order. */
export interface Pool {
  readonly pool: unique symbol;
}

/** A compiled program: kernels bound to memory. */
export interface Handle {
  readonly handle: unique symbol;
}

export interface Features {
  /** What this machine can run, best first. */
  readonly isas: readonly Isa[];
  /** The processor's name; empty where it has none to tell. */
  readonly cpu: string;
  /** Cache sizes in bytes, where known. */
  readonly l2?: number;
  readonly l3?: number;
}

/** In place of the index of a buffer: for `Native.scratch`, tensors need no memory. */
export const nowhere = -1;

export interface NativeTensor {
  /** Index into `buffers`, or `nowhere`. */
  readonly buffer: number;
  /** In bytes; a multiple of the element's size. */
  readonly offset: number;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** In place of the index of an output that need not be made. */
export const leftOut = -1;

export interface NativeNode {
  readonly op: string;
  /** Indices into `tensors`. */
  readonly inputs: readonly number[];
  /** The same, or `leftOut`. */
  readonly outputs: readonly number[];
  readonly attributes: Readonly<Record<string, number | readonly number[]>>;
}

export interface Description {
  readonly buffers: readonly ArrayBuffer[];
  readonly tensors: readonly NativeTensor[];
  /** In the order in which they run. */
  readonly nodes: readonly NativeNode[];
}

export interface Native {
  features(): Features;
  /** Zeroed memory, 64-byte aligned, on huge pages where it is large. */
  allocate(bytes: number): ArrayBuffer;
  /**
   * Gives back at once what is held by memory that was allocated here, which is detached, by a program, or by a pool, whose threads end
   * with its last program. Throws for a program that runs or waits to.
   */
  release(held: ArrayBuffer | Pool | Handle): void;
  /** What is neither released nor collected; bytes with the scratch memory of programs. */
  held(): { readonly bytes: number; readonly pools: number; readonly programs: number };
  createPool(threads: number): Pool;
  /** The ops that an instruction set has kernels for. */
  kernels(isa: Isa): string[];
  /**
   * Checks everything but what ops ask of each other's shapes, which the ops' shape rules have checked. Takes the scratch memory that
   * the kernels need, for as long as there are programs on the pool, which share it: a run takes none.
   * @throws an Error with the code ENOMEM where there is none; programs that were compiled before go on
   */
  compile(pool: Pool, isa: Isa, description: Description): Handle;
  /** Bytes of scratch memory that compile would take, had it to. Takes none. */
  scratch(pool: Pool, isa: Isa, description: Description): number;
  /**
   * Runs all nodes off the JavaScript thread. The program and its buffers stay alive until then.
   * @param nodes indices, in order, of nodes that are listened to
   * @param onDone told how many of them are done, while others run; the last words may come after the promise has settled
   */
  run(handle: Handle, nodes?: readonly number[], onDone?: (count: number) => void): Promise<void>;
  /** Time spent in each node, summed over all runs. */
  profile(handle: Handle): { runs: number; nanoseconds: number[] };
  /**
   * FLOP/s of multiply-adds on registers, on all threads of a pool that is not running.
   * @param milliseconds over which they are measured, at most 60,000; the best burst in about 300 of them when 0. Blocks as long.
   */
  measurePeak(pool: Pool, isa: Isa, precision: Exclude<Precision, 'fp16'>, milliseconds: number): number;
  /**
   * Ends the process with `code` where a signal is not heard for `first` milliseconds, or `again` where it came again, because
   * JavaScript is busy. Node.js must have a listener for it already.
   */
  guardSignal(signal: number, code: number, first: number, again: number): void;
  /** To be called by a listener: JavaScript has heard the signals so far. */
  hearSignals(): void;
  /** Ends the process at once, without waiting for threads that may never come back, as `process.exit` does. */
  leave(code: number): never;
}

const candidates = ['build/Release/rectiflow.node', 'build/Debug/rectiflow.node'];

let loaded: Native | undefined;

/**
 * Where the last build of the kernels says what became of it, as a sentence to append; empty where there was none.
 * @param root the package's folder, with a separator at its end
 */
export function whereBuildIsTold(root: string = fileURLToPath(packageFolder)): string {
  const log = `${root}build/native.log`;
  return existsSync(log) ? ` What the last attempt to build them said is in ${log}.` : '';
}

/**
 * The native addon, loaded at the first call.
 * @throws RectiflowError that lists every place tried and says how to build it
 */
export function loadNative(): Native {
  return (loaded ??= loadNativeFrom(fileURLToPath(packageFolder)));
}

/** @param root the package's folder, with a separator at its end */
export function loadNativeFrom(root: string): Native {
  const require = createRequire(import.meta.url);
  const failures: string[] = [];
  for (const candidate of candidates) {
    const path = root + candidate;
    try {
      return require(path) as Native;
    } catch (error) {
      failures.push(`  ${path}: ${reason(error)}`);
    }
  }
  throw new RectiflowError('backend', [
    `cpu: the native kernels could not be loaded (${process.platform} ${process.arch}):`,
    ...failures,
    `Build them with "node scripts/build-native.mjs" in ${root}. That needs a C++ compiler, make and Python 3 ` +
      `(Debian, Ubuntu: apt-get install build-essential python3). Or use the reference backend, which needs nothing but is slow.` +
      whereBuildIsTold(root),
  ]);
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'MODULE_NOT_FOUND' ? 'not built' : message.split('\n')[0]!;
}
