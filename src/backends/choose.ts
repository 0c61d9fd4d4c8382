// The one place where a backend is chosen by name.
import { RectiflowError, valueError } from '../tensor/errors.ts';
import { didYouMean } from '../tensor/suggest.ts';
import type { Backend, Precision } from './backend.ts';
import { type Isa, cpuBackend, cpuIsas } from './cpu/index.ts';
import { referenceBackend } from './reference/index.ts';

export const backendNames = ['auto', 'cpu', 'reference'] as const;
export type BackendName = (typeof backendNames)[number];

export interface BackendChoice {
  /** `auto` (the default): `cpu` where its native kernels are built, else `reference`. */
  readonly name?: BackendName | undefined;
  /** `auto` (the default): `bf16` where the machine multiplies bfloat16 numbers natively, else `fp32`. */
  readonly precision?: Precision | 'auto' | undefined;
  /** For `cpu`: threads to compute with, one per physical core by default. */
  readonly threads?: number | undefined;
  /** For `cpu`: the instruction set, the best by default. */
  readonly isa?: Isa | undefined;
}

export interface ChosenBackend {
  readonly backend: Backend;
  /** What the user should know about the choice, one sentence each; usually nothing. */
  readonly notices: readonly string[];
}

/**
 * Makes the backend that a config asks for.
 * @throws RectiflowError where it asks for what this machine or this installation does not have
 */
export function chooseBackend(choice: BackendChoice = {}): ChosenBackend {
  const { name = 'auto', precision = 'auto', threads, isa } = choice;
  if (!backendNames.includes(name)) {
    throw valueError(
      'backend',
      'name',
      `one of ${backendNames.join(', ')}`,
      name + didYouMean(name, backendNames),
    );
  }
  if (name === 'reference') return chooseReference(precision, []);
  try {
    return chooseCpu(precision, threads, isa);
  } catch (error) {
    const wantsCpu = name === 'cpu' || isa !== undefined || nativeIsBuilt();
    if (wantsCpu || !(error instanceof RectiflowError)) throw error;
    return chooseReference(precision, [
      'The native kernels are not built, so this runs on the reference interpreter, which is hundreds of times slower. ' +
        'Build them with "npm rebuild rectiflow" (or "node scripts/build-native.mjs" in a clone); that needs a C++ compiler, ' +
        'make and Python 3 (Debian, Ubuntu: apt-get install build-essential python3).',
    ]);
  }
}

function chooseCpu(
  precision: Precision | 'auto',
  threads: number | undefined,
  isa: Isa | undefined,
): ChosenBackend {
  const native = (isa ?? cpuIsas()[0]) === 'avx512-bf16';
  const resolved = precision === 'auto' ? (native ? 'bf16' : 'fp32') : precision;
  const backend = cpuBackend({
    precision: resolved,
    ...(threads !== undefined && { threads }),
    ...(isa !== undefined && { isa }),
  });
  const emulated = resolved === 'bf16' && !native;
  return { backend, notices: emulated ? [`bf16 on ${backend.isa}: ${costOfEmulation}`] : [] };
}

function chooseReference(precision: Precision | 'auto', notices: readonly string[]): ChosenBackend {
  return { backend: referenceBackend({ precision: precision === 'auto' ? 'fp32' : precision }), notices };
}

const costOfEmulation =
  'there are no bfloat16 instructions, so products are made in float32 from rounded numbers. It halves the memory of ' +
  'activations and gains no time; fp32 is at least as fast.';

function nativeIsBuilt(): boolean {
  try {
    cpuIsas();
    return true;
  } catch {
    return false;
  }
}
