// The one place where a backend is chosen by name.
import { RectiflowError, valueError } from '../tensor/errors.ts';
import { didYouMean } from '../tensor/suggest.ts';
import type { Backend, Precision } from './backend.ts';
import { type Isa, cpuBackend, cpuIsas } from './cpu/index.ts';
import { whereBuildIsTold } from './cpu/native.ts';
import { defaultThreads } from './cpu/threads.ts';
import { referenceBackend } from './reference/index.ts';

const backendNames = ['auto', 'cpu', 'reference'] as const;

/** Everything is `auto` by default. */
export interface BackendChoice {
  /** `auto`: `cpu` where its native kernels are built, else `reference`. */
  readonly name?: (typeof backendNames)[number];
  /** `auto`: `bf16` where the machine multiplies bfloat16 numbers natively, else `fp32`. */
  readonly precision?: Precision | 'auto';
  /** Of `cpu`. `auto`: one per physical core. */
  readonly threads?: number | 'auto';
  /** How many processes of a job share the machine, where `threads` is `auto`; 1 by default. */
  readonly processes?: number | undefined;
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
  const { name = 'auto', precision = 'auto', isa = 'auto' } = choice;
  if (!backendNames.includes(name)) {
    const wanted = `one of ${backendNames.join(', ')}`;
    throw valueError('backend', 'name', wanted, `"${String(name)}".${didYouMean(name, backendNames)}`);
  }
  const unbuilt = name === 'reference' ? undefined : whyNotBuilt();
  if (name === 'reference' || (name === 'auto' && isa === 'auto' && unbuilt)) {
    return {
      backend: referenceBackend({ precision: precision === 'auto' ? 'fp32' : precision }),
      notices: unbuilt ? [interpreterNotice + whereBuildIsTold()] : [],
    };
  }
  return chooseCpu(choice);
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
