// Native kernels for the CPU, compiled per instruction set and chosen at run time.
import { isBuiltIn } from '../../ops/registry.ts';
import { lower, oncePerProgram } from '../../program/index.ts';
import type { Program } from '../../program/index.ts';
import { counted } from '../../tensor/counted.ts';
import { RectiflowError, valueError } from '../../tensor/errors.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { TensorType } from '../../tensor/tensor.ts';
import type { Backend, Buffer, Buffers, Precision } from '../backend.ts';
import { checkBuffers, checkDTypes } from '../checks.ts';
import { Lifetime, Lifetimes, serial } from '../../tensor/lifetime.ts';
import { precisionPass } from '../precision.ts';
import { SharedArena } from './allocate.ts';
import { CpuBuffer } from './buffer.ts';
import { type CpuExecutable, type Machine, bindProgram, scratchBytes } from './executable.ts';
import { type Isa, type Native, type Pool, knownIsas, loadNative } from './native.ts';
import { defaultThreads } from './threads.ts';

export type { CpuExecutable } from './executable.ts';
export type { Isa } from './native.ts';

export interface CpuOptions {
  /** The instruction set; the best that the machine has by default. */
  readonly isa?: Isa;
  /** Threads to compute with; one per physical core by default. Results do not depend on it. */
  readonly threads?: number;
  /** Default `fp32`. `fp16` is emulated: exact in what is rounded and how, but it saves neither memory nor time. */
  readonly precision?: Precision;
}

export interface CpuBackend extends Backend {
  readonly isa: Isa;
  readonly threads: number;
  compile(program: Program, buffers: Buffers): Promise<CpuExecutable>;
  /**
   * The most floating-point operations per second that products can reach with these threads, this instruction set and this
   * precision: multiply-adds on registers, measured when all runs are done. Blocks the event loop meanwhile.
   * @param seconds over which it is sustained, at most 60; the best burst in about 0.3 s when 0, as by default
   */
  measurePeak(seconds?: number): Promise<number>;
}

/** Instruction sets that this build and this machine support, best first. Throws where the native kernels are missing. */
export function cpuIsas(): readonly Isa[] {
  return loadNative().features().isas;
}

/**
 * Runs programs by native kernels on a pool of threads; a run leaves the event loop free.
 * @throws RectiflowError where the native kernels are missing (and says how to get them), or an option does not fit the machine
 */
export function cpuBackend(options: CpuOptions = {}): CpuBackend {
  const { threads = defaultThreads(), precision = 'fp32' } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > maxThreads) {
    throw valueError('cpu', 'threads', `a whole number from 1 to ${maxThreads}`, threads);
  }
  const inPrecision = precisionPass('cpu', precision, halves);
  const native = loadNative();
  const isa = chooseIsa(native, options.isa);
  const machine: Machine = {
    native,
    pool: joinPool(native, threads),
    isa,
    arena: new SharedArena(native),
    exclusively: serial(),
    lives: new Lifetimes(),
  };
  const { exclusively, arena, lives } = machine;
  const life = new Lifetime('the cpu backend', async () => {
    await lives.dispose();
    await exclusively(() => {
      arena.clear();
      leavePool(native, threads);
    });
  });
  const isOwn = (buffer: Buffer): buffer is CpuBuffer =>
    buffer instanceof CpuBuffer && buffer.machine === machine;
  const kernels = new Set(native.kernels(isa));
  const lowered = oncePerProgram((program) =>
    lower(inPrecision(program), `cpu (${isa})`, (op) => isBuiltIn(op) && kernels.has(op.name)),
  );
  return {
    name: 'cpu',
    isa,
    threads,
    precision,
    describe: () => describe(native, isa, threads, precision),
    allocate(type: TensorType) {
      life.check();
      return new CpuBuffer(type, machine);
    },
    view(buffer) {
      const { memory, life: ofBuffer } = buffer as CpuBuffer;
      ofBuffer.check();
      return new Float32Array(memory, 0, sizeOf(buffer.shape));
    },
    lower: lowered,
    scratchBytes({ nodes }) {
      life.check();
      return scratchBytes(nodes, machine);
    },
    async compile(traced, buffers) {
      life.check();
      const program = lowered(traced);
      checkDTypes('cpu', program, ['float32', ...halves, 'int32']);
      const own = checkBuffers(program, buffers, isOwn);
      for (const [name, buffer] of own) buffer.life.check(`program ${program.name}: the buffer for ${name}`);
      return bindProgram(program, own, machine);
    },
    reserve(bytes) {
      life.check();
      arena.reserve(bytes);
    },
    async measurePeak(seconds = 0) {
      life.check();
      const multiplied = precision === 'fp16' ? 'fp32' : precision;
      return exclusively(() => native.measurePeak(machine.pool, isa, multiplied, Math.round(1000 * seconds)));
    },
    dispose: () => life.dispose(),
  };
}

const maxThreads = 1024;
/** What there are kernels for, beside float32. */
const halves = ['bfloat16'] as const;

function chooseIsa(native: Native, wanted: Isa | undefined): Isa {
  const { isas } = native.features();
  if (wanted === undefined) return isas[0]!;
  if (isas.includes(wanted)) return wanted;
  const problem = knownIsas.includes(wanted)
    ? `this machine (or the compiler that built the kernels) does not support ${wanted}`
    : `there is no instruction set ${String(wanted)}`;
  throw new RectiflowError(
    'backend',
    `cpu: ${problem}; use one of ${isas.join(', ')}, or leave isa out for the best`,
  );
}

const pools = new Map<number, { readonly pool: Pool; readonly backends: number }>();

/** Backends with the same number of threads share them: two never compute at once. The threads end with the last of them. */
function joinPool(native: Native, threads: number): Pool {
  const { pool, backends } = pools.get(threads) ?? { pool: startThreads(native, threads), backends: 0 };
  pools.set(threads, { pool, backends: backends + 1 });
  return pool;
}

function leavePool(native: Native, threads: number): void {
  const { pool, backends } = pools.get(threads)!;
  if (backends > 1) {
    pools.set(threads, { pool, backends: backends - 1 });
    return;
  }
  pools.delete(threads);
  native.release(pool);
}

function startThreads(native: Native, threads: number): Pool {
  try {
    return native.createPool(threads);
  } catch (error) {
    const reason = (error as Error).message;
    throw new RectiflowError(
      'backend',
      `cpu: ${counted(threads, 'thread')} could not be started: ${reason}`,
      {
        cause: error,
      },
    );
  }
}

function describe(native: Native, isa: Isa, threads: number, precision: Precision): string {
  const cpu = native.features().cpu || 'CPU';
  const parts = [cpu, isa, counted(threads, 'thread'), precision];
  return parts.join(', ') + emulationNote(precision, isa);
}

function emulationNote(precision: Precision, isa: Isa): string {
  if (precision === 'fp16') return ' (emulated)';
  const emulated = precision === 'bf16' && isa !== 'avx512-bf16';
  return emulated ? ' (without bf16 instructions here: saves memory, not time)' : '';
}
