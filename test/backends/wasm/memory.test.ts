// Memory of WebAssembly is one piece: what is given back is used again, and what it cannot hold is told.
import { describe, expect, it } from 'vitest';
import { KernelMemory, SharedBlock } from '../../../src/backends/wasm/memory.ts';
import { wasmBackendOf } from '../../../src/backends/wasm/index.ts';
import { add, affine, cast, matmul } from '../../../src/ops/index.ts';
import { trace } from '../../../src/program/index.ts';
import { testKernels } from '../../support/wasm.ts';

describe('blocks', () => {
  it('are zeroed, apart from one another, and used again when all around them were given back', () => {
    const memory = new KernelMemory(1024);
    const starts = [100, 300_000, 64, 1].map((bytes) => memory.allocate(bytes));
    expect(starts).toEqual([1024, 1152, 1152 + 300_032, 1152 + 300_032 + 64]);
    const { byteLength } = memory.linear.buffer;
    new Uint8Array(memory.linear.buffer, 1152, 300_000).fill(7);
    for (const [i, bytes] of [100, 300_000, 64, 1].entries()) memory.release(starts[i]!, bytes);
    expect(memory.allocate(byteLength - 1024)).toBe(1024);
    expect(memory.linear.buffer.byteLength).toBe(byteLength);
    expect(new Set(new Uint8Array(memory.linear.buffer, 1024))).toEqual(new Set([0]));
  });

  it('of more than 4 GiB are told', () => {
    const memory = new KernelMemory(1024);
    memory.allocate(2 ** 20);
    expect(() => memory.allocate(2 ** 32)).toThrow(
      /^wasm: 4096 MiB more were wanted beside 2 MiB, and WebAssembly reaches 4096 MiB\. Set train\.microBatch lower/,
    );
    expect(memory.allocate(64)).toBeGreaterThan(2 ** 20);
  });

  it('that are shared are given back with the last who holds them', () => {
    const memory = new KernelMemory(1024);
    const shared = new SharedBlock(memory);
    const small = shared.lease(1000);
    const also = shared.lease(500);
    const large = shared.lease(5000);
    expect([also.start, large.start]).toEqual([small.start, 2048]);
    also.release();
    expect(memory.allocate(1000)).toBe(2048 + 5056);
    small.release();
    expect(memory.allocate(1000)).toBe(1024);
    expect(shared.lease(5000).start).toBe(large.start);
  });
});

const size = 1 << 18;
/** s in, 4 MiB of constants, inputs, outputs and what lies between. */
const program = trace('sum', (graph) => {
  const state = graph.stateful('s', [size]);
  return { y: affine(add(graph.input('x', [size]), affine(state, 2, 1)), 1, 3) };
});

it('what buffers and programs held is used by those that come after them', async () => {
  const backend = wasmBackendOf(testKernels());
  const bytes: number[] = [];
  for (let i = 0; i < 4; i++) {
    const s = backend.allocate({ shape: [size], dtype: 'float32' });
    const executable = await backend.compile(program, new Map([['s', s]]));
    await s.write(new Float32Array(size).fill(i));
    await executable.run({ x: new Float32Array(size).fill(1) });
    const { y } = await executable.read(['y']);
    expect(new Set(y)).toEqual(new Set([2 * i + 5]));
    bytes.push(memoryOf(s));
    await executable.dispose();
    await s.dispose();
  }
  expect(new Set(bytes).size).toBe(1);
  await backend.dispose();
});

function memoryOf(buffer: object): number {
  return (buffer as { machine: { memory: KernelMemory } }).machine.memory.linear.buffer.byteLength;
}

it('a program that needs more than there is holds nothing afterwards', async () => {
  const backend = wasmBackendOf(testKernels());
  const large = trace('large', (graph) => {
    const x = graph.input('x', [1, 2 ** 15]);
    return { y: matmul(x, x, { transposeA: true }) };
  });
  for (let i = 0; i < 3; i++)
    await expect(backend.compile(large, new Map())).rejects.toThrow('WebAssembly reaches 4096 MiB');
  const s = backend.allocate({ shape: [size], dtype: 'float32' });
  expect(memoryOf(s)).toBeLessThan(2 ** 24);
});

it('half precision is told of, when it is allocated or computed with', async () => {
  const backend = wasmBackendOf(testKernels());
  expect(() => backend.allocate({ shape: [2], dtype: 'bfloat16' })).toThrow(
    'wasm: a buffer must be float32 or int32, got bfloat16',
  );
  const halves = trace('halves', (graph) => ({ y: cast(cast(graph.input('x', [2]), 'float16'), 'float32') }));
  await expect(backend.compile(halves, new Map())).rejects.toThrow(
    'program halves: value %1 is float16, and wasm computes with float32, int32 only',
  );
});
