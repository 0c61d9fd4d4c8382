// WebAssembly as its host has it. Types of its own, because those of browsers and of Node.js differ, and programs have one of the two.
import { RectiflowError } from '../../tensor/errors.ts';

/** Memory that kernels and JavaScript share. Views of the buffer end when it grows. */
export interface LinearMemory {
  readonly buffer: ArrayBuffer;
  /** @param pages of 64 KiB more @throws RangeError where the host has not so much */
  grow(pages: number): number;
}

export type CompiledKernels = object;

interface Engine {
  validate(bytes: Uint8Array): boolean;
  compile(bytes: Uint8Array): Promise<CompiledKernels>;
  readonly Memory: new (extent: { initial: number; maximum: number }) => LinearMemory;
  readonly Instance: new (module: CompiledKernels, imports: object) => { readonly exports: object };
}

/** What a host answers to a request. */
export interface KernelResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly url: string;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** The file `kernels.wasm` of the package: its bytes, where they are fetched from, or what was fetched. */
export type KernelSource = Uint8Array | ArrayBuffer | URL | string | KernelResponse | Promise<KernelResponse>;

/** @throws RectiflowError where the host has no WebAssembly */
export function engine(): Engine {
  const { WebAssembly } = globalThis as { readonly WebAssembly?: Engine };
  if (WebAssembly === undefined)
    throw new RectiflowError(
      'backend',
      'wasm: this host has no WebAssembly. Use a browser that has it, or another backend',
    );
  return WebAssembly;
}

/**
 * Reads and compiles the kernels.
 * @throws RectiflowError where the file cannot be read, or the host compiles no WebAssembly with SIMD
 */
export async function compileKernels(source: KernelSource): Promise<CompiledKernels> {
  const host = engine();
  const bytes = await readKernels(source);
  checkHeader(bytes);
  if (!host.validate(bytes))
    throw new RectiflowError(
      'backend',
      "wasm: this host's WebAssembly has no SIMD, which the kernels are made of. " +
        'Use a newer browser (from 2023 on all have it), or another backend',
    );
  try {
    return await host.compile(bytes);
  } catch (error) {
    throw new RectiflowError(
      'backend',
      `wasm: this host did not compile the kernels (${(error as Error).message}). ` +
        "Where it is a Content-Security-Policy that forbids it, add 'wasm-unsafe-eval' to its script-src",
      { cause: error },
    );
  }
}

async function readKernels(source: KernelSource): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  const asked = typeof source === 'string' || source instanceof URL ? request(source) : source;
  const response = await asked;
  if (!response.ok)
    throw new RectiflowError(
      'file',
      `wasm: wanted the kernels from ${response.url}, and the server answered ${response.status}. ` +
        'Put kernels.wasm of the package there',
    );
  return new Uint8Array(await response.arrayBuffer());
}

async function request(address: string | URL): Promise<KernelResponse> {
  try {
    return await fetch(address);
  } catch (error) {
    throw new RectiflowError(
      'file',
      `wasm: the kernels cannot be fetched from ${String(address)} (${(error as Error).message}). ` +
        'In Node.js read the file, and hand over its bytes',
      { cause: error },
    );
  }
}

/** A server that answers with a page for whatever it lacks would otherwise look like a host without SIMD. */
function checkHeader(bytes: Uint8Array): void {
  const isWasm = [0x00, 0x61, 0x73, 0x6d].every((byte, i) => bytes[i] === byte);
  if (!isWasm)
    throw new RectiflowError(
      'file',
      `wasm: wanted the kernels, got ${bytes.length} bytes that are no WebAssembly. ` +
        'Hand over kernels.wasm of the package, or its address',
    );
}
