// The one place where a backend is chosen by name.
import { RectiflowError, valueError } from '../tensor/errors.ts';
import { didYouMean } from '../tensor/suggest.ts';
import type { Backend, Precision } from './backend.ts';
import { type Isa, cpuBackend, cpuIsas } from './cpu/index.ts';
import { whereBuildIsTold } from './cpu/native.ts';
import { defaultThreads } from './cpu/threads.ts';
import { referenceBackend } from './reference/index.ts';

/** As users give them. */
export const backendNames = ['auto', 'cpu', 'webgpu', 'reference'] as const;

/** Everything is `auto` by default. */
export interface BackendChoice {
  /** `auto`: `webgpu` where the package of that name finds a GPU, else `cpu` where its native kernels are built, else `reference`. */
  readonly name?: (typeof backendNames)[number];
  /** `auto`: `bf16` where the machine multiplies bfloat16 numbers natively, and on GPUs, else `fp32`. */
  readonly precision?: Precision | 'auto';
  /** Of `cpu`. `auto`: one per physical core. */
  readonly threads?: number | 'auto';
  /** How many processes of a job share the machine; 1 by default. */
  readonly processes?: number | undefined;
  /** Whether the backend is that of one of several ranks: `auto` leaves the GPU to those who ask for it then. */
  readonly isRank?: boolean | undefined;
  /**
   * Of `webgpu`. `auto`: on a GPU, what is computed often is timed at a start, and the fastest way is taken; not on ranks, which compute
   * alike. `off`: nothing is timed.
   */
  readonly tuning?: 'auto' | 'off';
  /** Of `webgpu`. Whether products are made by subgroup matrices, an experiment; false by default. */
  readonly subgroupMatrices?: boolean;
  /** Told what users should know later, of the timing above all. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** The instruction set of `cpu`. `auto`: the best that the machine has. */
  readonly isa?: Isa | 'auto';
}

export interface ChosenBackend {
  readonly backend: Backend;
  /** What the user should know about the choice, in whole sentences; usually nothing. */
  readonly notices: readonly string[];
}

/**
 * Makes the backend that a config asks for.
 * @throws RectiflowError where it asks for what this machine or this installation does not have
 */
export async function chooseBackend(choice: BackendChoice = {}): Promise<ChosenBackend> {
  const { name = 'auto', precision = 'auto' } = choice;
  if (!backendNames.includes(name)) {
    const wanted = `one of ${backendNames.join(', ')}`;
    throw valueError('backend', 'name', wanted, `"${String(name)}".${didYouMean(name, backendNames)}`);
  }
  switch (name) {
    case 'reference':
      return { backend: reference(precision), notices: [] };
    case 'cpu':
      return chooseCpu(choice);
    case 'webgpu':
      return (await import('./choose-gpu.ts')).chooseGpu(choice);
    case 'auto': {
      const { findGpu } = await import('./choose-gpu.ts');
      const { chosen, notice } = await findGpu(choice);
      if (chosen) return chosen;
      const other = chooseHost(choice);
      return notice === undefined ? other : { ...other, notices: [notice, ...other.notices] };
    }
  }
}

/**
 * The best backend that is not of a GPU.
 * @throws RectiflowError where an instruction set is asked for that is not there
 */
export function chooseHost(choice: Omit<BackendChoice, 'name'> = {}): ChosenBackend {
  const { precision = 'auto', isa = 'auto' } = choice;
  if (isa === 'auto' && whyNotBuilt())
    return { backend: reference(precision), notices: [interpreterNotice + whereBuildIsTold()] };
  return chooseCpu(choice);
}

function reference(precision: Precision | 'auto'): Backend {
  return referenceBackend({ precision: precision === 'auto' ? 'fp32' : precision });
}
const interpreterNotice =
  'The native kernels are not built, so everything runs on the reference interpreter, hundreds of times slower. To build ' +
  'them: "npm rebuild rectiflow", or "node scripts/build-native.mjs" in a clone of the repository. That needs a C++ ' +
  'compiler, make and Python 3 (Debian, Ubuntu: apt-get install build-essential python3).';

const emulationNotice =
  'This machine has no bfloat16 instructions: bf16 halves the memory of activations here but is not faster than fp32.';

const float16Notice =
  'fp16 is emulated on the CPU: it rounds as a machine with float16 does, but takes more time and memory than fp32.';

function chooseCpu(choice: BackendChoice): ChosenBackend {
  const { precision = 'auto', threads = 'auto', isa = 'auto', processes } = choice;
  const native = (isa === 'auto' ? cpuIsas()[0] : isa) === 'avx512-bf16';
  const backend = cpuBackend({
    precision: precision === 'auto' ? (native ? 'bf16' : 'fp32') : precision,
    threads: threads === 'auto' ? defaultThreads(processes) : threads,
    ...(isa !== 'auto' && { isa }),
  });
  if (backend.precision === 'fp16') return { backend, notices: [float16Notice] };
  return { backend, notices: backend.precision === 'bf16' && !native ? [emulationNotice] : [] };
}

function whyNotBuilt(): RectiflowError | undefined {
  try {
    cpuIsas();
    return undefined;
  } catch (error) {
    if (error instanceof RectiflowError) return error;
    throw error;
  }
}
