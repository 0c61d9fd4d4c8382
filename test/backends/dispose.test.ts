// Buffers, programs and backends are disposed of: what they hold is given back at once, and what is used after that is told.
import { describe, expect, it } from 'vitest';
import type { Backend, Buffer, Executable } from '../../src/backends/backend.ts';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import { loadNative } from '../../src/backends/cpu/native.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { add, affine, assign, constant } from '../../src/ops/index.ts';
import { type Program, trace } from '../../src/program/index.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { float32Backends } from '../support/backends.ts';

const native = loadNative();
const length = 1 << 18;

/** s <- s + x, after some time; y = s + x + a constant. 1 MiB each of state, input, constant, output and what lies between. */
const counting: Program = trace('counting', (graph) => {
  const state = graph.stateful('s', [length]);
  const x = graph.input('x', [length]);
  const slow = Array.from({ length: 4 }).reduce<Tensor>((value) => affine(value, 1, 0), add(state, x));
  const y = add(slow, constant(x, [length], new Float64Array(length).fill(3)));
  assign(state, slow);
  return { y };
});
const ones = { x: new Float32Array(length).fill(1) };

async function compiled(backend: Backend): Promise<{ state: Buffer; executable: Executable }> {
  const state = backend.allocate({ shape: [length], dtype: 'float32' });
  return { state, executable: await backend.compile(counting, new Map([['s', state]])) };
}

const onAll = float32Backends().filter(({ label }) => /reference|portable|wasm/.test(label));

describe.each(onAll)('on $label', ({ create, skip }) => {
  const gone = (what: string): string => `${what} was disposed of: dispose of it later, or make another one`;

  it.skipIf(skip)('a program that was disposed of does nothing, and its buffers stay', async () => {
    const backend = create();
    const { state, executable } = await compiled(backend);
    await executable.run(ones);
    await executable.dispose();
    await executable.dispose();
    for (const use of [
      () => executable.run(ones),
      () => executable.read(['y']),
      () => executable.inspect(ones),
    ])
      await expect(use()).rejects.toThrow(gone('program counting'));
    expect(new Set(await state.read())).toEqual(new Set([1]));
    await backend.dispose();
  });

  it.skipIf(skip)('a run that is under way ends first, and so do the reads after it', async () => {
    const backend = create();
    const { state, executable } = await compiled(backend);
    const run = executable.run(ones);
    const read = executable.read(['y']);
    const sum = state.read();
    const ends = [executable.dispose(), state.dispose(), backend.dispose()];
    await run;
    expect(new Set((await read).y)).toEqual(new Set([4]));
    expect(new Set(await sum)).toEqual(new Set([1]));
    await Promise.all(ends);
  });

  it.skipIf(skip)('a buffer that was disposed of is named by all that would use it', async () => {
    const backend = create();
    const { state, executable } = await compiled(backend);
    await state.dispose();
    await state.dispose();
    const values = new Float32Array(length);
    const what = `the buffer of float32 [${length}]`;
    await expect(state.read()).rejects.toThrow(gone(what));
    await expect(state.readInto(values)).rejects.toThrow(gone(what));
    await expect(state.write(values)).rejects.toThrow(gone(what));
    const ofProgram = gone('program counting: the buffer for s');
    await expect(executable.run(ones)).rejects.toThrow(ofProgram);
    await expect(executable.inspect(ones)).rejects.toThrow(ofProgram);
    await expect(backend.compile(counting, new Map([['s', state]]))).rejects.toThrow(ofProgram);
    if (backend.view) expect(() => backend.view!(state)).toThrow(gone(what));
    await backend.dispose();
  });

  it.skipIf(skip)('a backend is disposed of with all that it has made', async () => {
    const backend = create();
    const { state, executable } = await compiled(backend);
    await backend.dispose();
    await backend.dispose();
    const name = `the ${backend.name} backend`;
    expect(() => backend.allocate({ shape: [1], dtype: 'float32' })).toThrow(gone(name));
    await expect(backend.compile(counting, new Map([['s', state]]))).rejects.toThrow(gone(name));
    if (backend.measurePeak) await expect(backend.measurePeak()).rejects.toThrow(gone(name));
    if (backend.reserve) expect(() => backend.reserve!(1)).toThrow(gone(name));
    await expect(executable.run(ones)).rejects.toThrow(gone('program counting'));
    await expect(state.read()).rejects.toThrow('was disposed of');
  });

  it.skipIf(skip)('a program works on buffers of its own backend alone', async () => {
    const [backend, other] = [create(), create()];
    for (const maker of [other, backend.name === 'cpu' ? referenceBackend() : cpuBackend()]) {
      const state = maker.allocate({ shape: [length], dtype: 'float32' });
      await expect(backend.compile(counting, new Map([['s', state]]))).rejects.toThrow(
        'program counting: the buffer for s must be allocated by the backend that compiles the program, got one of another',
      );
      await maker.dispose();
    }
    await backend.dispose();
  });

  it.skipIf(skip)('outputs are read after a run', async () => {
    const backend = create();
    const { executable } = await compiled(backend);
    await expect(executable.read(['y'])).rejects.toThrow('program counting: output y was read before a run');
    await backend.dispose();
  });
});

describe('memory does not grow', () => {
  const mebibytes = (bytes: number): number => bytes / 2 ** 20;

  it('when 100 programs are compiled, run and disposed of', async () => {
    const backend = cpuBackend({ threads: 2 });
    const state = backend.allocate({ shape: [length], dtype: 'float32' });
    const before = native.held();
    let resident = 0;
    for (let i = 0; i < 100; i++) {
      const executable = await backend.compile(counting, new Map([['s', state]]));
      expect(native.held().bytes - before.bytes).toBeGreaterThanOrEqual(4 * 4 * length);
      await executable.run(ones);
      await executable.dispose();
      expect(native.held()).toMatchObject({ programs: before.programs });
      // Scratch of the threads stays, which one run takes.
      if (i === 1) resident = process.memoryUsage().rss;
    }
    const scratch = native.held().bytes - before.bytes;
    expect(mebibytes(process.memoryUsage().rss - resident)).toBeLessThan(100);
    await backend.dispose();
    expect(before.bytes - native.held().bytes).toBe(4 * length);
    expect(mebibytes(scratch)).toBeLessThan(200);
  });

  it('when 100 buffers or 100 backends are', async () => {
    const backend = cpuBackend({ threads: 2 });
    const before = native.held();
    for (let i = 0; i < 100; i++) {
      const buffer = backend.allocate({ shape: [length], dtype: 'float32' });
      expect(native.held().bytes).toBe(before.bytes + 4 * length);
      await buffer.dispose();
      expect(native.held()).toEqual(before);
    }
    await backend.dispose();
    const without = native.held();
    for (let i = 0; i < 100; i++) {
      const each = cpuBackend({ threads: 3 });
      each.reserve!(64 << 20);
      const { executable } = await compiled(each);
      await executable.run(ones);
      expect(native.held().pools).toBe(without.pools + 1);
      await each.dispose();
      expect(native.held()).toEqual(without);
    }
  });

  it('when a backend keeps its threads for another', async () => {
    const without = native.held();
    const [one, other] = [cpuBackend({ threads: 3 }), cpuBackend({ threads: 3 })];
    await one.dispose();
    await one.dispose();
    expect(native.held().pools).toBe(without.pools + 1);
    const { executable } = await compiled(other);
    await executable.run(ones);
    await other.dispose();
    expect(native.held()).toEqual(without);
  });

  it('when a program cannot be compiled', async () => {
    const backend = cpuBackend({ threads: 2 });
    const state = backend.allocate({ shape: [length], dtype: 'float32' });
    const before = native.held();
    const huge = trace('huge', (graph) => ({
      y: affine(graph.stateful('s', [length]), 1, 1),
      z: affine(graph.input('x', [1 << 16, 1 << 15]), 1, 1),
    }));
    await expect(backend.compile(huge, new Map([['s', state]]))).rejects.toThrow(/in one piece were wanted/);
    expect(native.held()).toEqual(before);
    await backend.dispose();
  });
});

describe('the native addon', () => {
  it('refuses what was released', async () => {
    const pool = native.createPool(1);
    const memory = native.allocate(64);
    const handle = native.compile(pool, 'portable', {
      buffers: [memory],
      tensors: [{ buffer: 0, offset: 0, dtype: 'float32', shape: [16] }],
      nodes: [{ op: 'square', inputs: [0], outputs: [0], attributes: {} }],
    });
    const run = native.run(handle);
    expect(() => native.release(handle)).toThrow(
      'release: the program is in the middle of a run; await it first',
    );
    await run;
    native.release(memory);
    expect(memory.byteLength).toBe(0);
    expect(() => native.release(memory)).toThrow('was released');
    expect(() => native.run(handle)).toThrow('was transferred or detached after compile');
    native.release(handle);
    expect(() => native.run(handle)).toThrow('run: program was released');
    expect(() => native.profile(handle)).toThrow('profile: program was released');
    expect(() => native.release(handle)).toThrow('release: the program was released');
    native.release(pool);
    expect(() => native.release(pool)).toThrow('release: the pool was released');
    expect(() => native.release(new ArrayBuffer(8))).toThrow(
      'must be a pool, a program or memory made by allocate',
    );
  });
});
