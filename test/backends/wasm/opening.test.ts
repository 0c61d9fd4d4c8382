// How the kernels of WebAssembly are found, and what is said where they cannot be.
import { afterEach, expect, it, vi } from 'vitest';
import { wasmBackend } from '../../../src/backends/wasm/index.ts';
import { add } from '../../../src/ops/index.ts';
import { trace } from '../../../src/program/index.ts';
import { kernelBytes } from '../../support/wasm.ts';

const host = globalThis as unknown as { WebAssembly: Record<string, unknown> };

afterEach(() => vi.unstubAllGlobals());

const doubled = trace('doubled', (graph) => {
  const x = graph.input('x', [5]);
  return { y: add(x, x) };
});

it.each([
  ['bytes', () => kernelBytes()],
  ['an ArrayBuffer', () => kernelBytes().slice().buffer as ArrayBuffer],
  ['an answer', () => new Response(kernelBytes())],
  ['an answer that is awaited', () => Promise.resolve(new Response(kernelBytes()))],
  [
    'an address',
    () => new URL(`data:application/wasm;base64,${Buffer.from(kernelBytes()).toString('base64')}`),
  ],
])('are taken from %s', async (_, source) => {
  const backend = await wasmBackend(source());
  const executable = await backend.compile(doubled, new Map());
  await executable.run({ x: Float32Array.of(1, 2, 3, 4, 5) });
  expect([...(await executable.read(['y'])).y]).toEqual([2, 4, 6, 8, 10]);
  await backend.dispose();
});

it('bytes of something else are told', async () => {
  await expect(wasmBackend(new TextEncoder().encode('<!doctype html>'))).rejects.toThrow(
    'wasm: wanted the kernels, got 15 bytes that are no WebAssembly. Hand over kernels.wasm of the package, or its address',
  );
});

it('an answer that is none is told', async () => {
  const answer = new Response('no', { status: 404 });
  await expect(wasmBackend(answer)).rejects.toThrow(
    'the server answered 404. Put kernels.wasm of the package there',
  );
});

it('an address that nobody fetches from is told', async () => {
  await expect(wasmBackend('file:///kernels.wasm')).rejects.toThrow(
    /^wasm: the kernels cannot be fetched from file:\/\/\/kernels\.wasm .*In Node\.js read the file, and hand over its bytes$/,
  );
});

it('a host without SIMD is told', async () => {
  vi.stubGlobal('WebAssembly', { ...host.WebAssembly, validate: () => false });
  await expect(wasmBackend(kernelBytes())).rejects.toThrow("wasm: this host's WebAssembly has no SIMD");
});

it('a host that forbids to compile is told', async () => {
  const refusal = (): Promise<never> => Promise.reject(new Error('refused by policy'));
  vi.stubGlobal('WebAssembly', { ...host.WebAssembly, validate: () => true, compile: refusal });
  await expect(wasmBackend(kernelBytes())).rejects.toThrow(
    "did not compile the kernels (refused by policy). Where it is a Content-Security-Policy that forbids it, add 'wasm-unsafe-eval'",
  );
});

it('a host without WebAssembly is told', async () => {
  vi.stubGlobal('WebAssembly', undefined);
  await expect(wasmBackend(kernelBytes())).rejects.toThrow('wasm: this host has no WebAssembly');
});
