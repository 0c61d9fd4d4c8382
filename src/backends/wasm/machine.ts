// One instance of the kernels, with the memory that it works on.
import { type Exclusively, Lifetimes, serial } from '../../tensor/lifetime.ts';
import { type CompiledKernels, engine } from './engine.ts';
import type { Kernels } from './ops/index.ts';
import { KernelMemory, SharedBlock } from './memory.ts';

/** What buffers and executables need of their backend. */
export interface Machine {
  readonly kernels: Kernels;
  readonly memory: KernelMemory;
  /** What programs make on their way, which the backend's next run overwrites. */
  readonly arena: SharedBlock;
  /** What kernels need beside that. */
  readonly scratch: SharedBlock;
  readonly exclusively: Exclusively;
  /** Of what the backend has made. */
  readonly lives: Lifetimes;
}

/** Kernels have nothing of their own in memory; where they begin is no address of a value, so that 0 can say that there is none. */
const firstByte = 1024;

export function startMachine(compiled: CompiledKernels): Machine {
  const memory = new KernelMemory(firstByte);
  const Instance = engine().Instance;
  const { exports } = new Instance(compiled, { env: { memory: memory.linear } });
  return {
    kernels: exports as Kernels,
    memory,
    arena: new SharedBlock(memory),
    scratch: new SharedBlock(memory),
    exclusively: serial(),
    lives: new Lifetimes(),
  };
}
