// Scratch memory: kernels say what they need when they are bound, and a run takes none.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  type Description,
  type Handle,
  type Isa,
  loadNative,
  nowhere,
} from '../../src/backends/cpu/native.ts';
import { collectGarbage } from '../support/garbage.ts';

const native = loadNative();
const { isas } = native.features();
const root = new URL('../../', import.meta.url);

/** y = a b, as often as it is said: a [rows, size] of ones, b [size, size] of ones. */
function product(rows: number, size: number, times = 1): { y: Float32Array; description: Description } {
  const shapes = [
    [rows, size],
    [size, size],
    [rows, size],
  ];
  const buffers = shapes.map((shape) => native.allocate(4 * shape[0]! * shape[1]!));
  for (const memory of buffers.slice(0, 2)) new Float32Array(memory).fill(1);
  const description: Description = {
    buffers,
    tensors: shapes.map((shape, buffer) => ({ buffer, offset: 0, dtype: 'float32', shape })),
    nodes: Array.from({ length: times }, () => ({
      op: 'matmul',
      inputs: [0, 1],
      outputs: [2],
      attributes: {},
    })),
  };
  return { y: new Float32Array(buffers[2]!), description };
}

/** The same without memory. */
function placeless({ tensors, nodes }: Description): Description {
  return { buffers: [], tensors: tensors.map((tensor) => ({ ...tensor, buffer: nowhere })), nodes };
}

describe.each(isas)('scratch memory on %s', (isa) => {
  it.each([1, 2, 5])(
    'is what the most demanding program needs, and of all of them, with %i threads',
    (threads) => {
      const pool = native.createPool(threads);
      const [small, large] = [product(65, 64), product(65, 320)].map(({ description }) => description);
      const needs = [small!, large!].map((description) => native.scratch(pool, isa, placeless(description)));
      expect(needs[0]).toBeGreaterThan(4 * 64 * 64);
      expect(needs[1]).toBeGreaterThan(4 * 320 * 320);
      expect(native.scratch(pool, isa, large!)).toBe(needs[1]);
      const before = native.held().bytes;
      const taken = (description: Description): [Handle, number] => {
        const program = native.compile(pool, isa, description);
        return [program, native.held().bytes - before];
      };
      const programs = [small!, large!, small!, large!].map(taken);
      expect(programs.map(([, bytes]) => bytes)).toEqual([needs[0], needs[1], needs[1], needs[1]]);
    },
  );

  it('is not there for kernels that need none', () => {
    const pool = native.createPool(2);
    const { description } = product(65, 64);
    const nodes = [{ op: 'add', inputs: [0, 0], outputs: [2], attributes: {} }];
    expect(native.scratch(pool, isa, { ...description, nodes })).toBe(0);
  });

  it('is taken when a program is compiled, not by its runs', async () => {
    const pool = native.createPool(3);
    const { y, description } = product(70, 130, 3);
    const program = native.compile(pool, isa, description);
    const before = native.held().bytes;
    for (let run = 0; run < 3; run++) await native.run(program);
    expect(native.held().bytes).toBeLessThanOrEqual(before);
    expect(new Set(y)).toEqual(new Set([130]));
  });

  it('stays with a run while a program that needs more is compiled', async () => {
    const pool = native.createPool(2);
    // Large enough to be mapped on its own: whoever keeps what was given back is ended by the system.
    const { y, description } = product(96, 2100, 8);
    const { description: more } = product(96, 2600);
    const running = native.run(native.compile(pool, isa, description));
    await setTimeout(5);
    const larger = native.compile(pool, isa, more);
    await running;
    expect(new Set(y)).toEqual(new Set([2100]));
    await native.run(larger);
  });
});

it('scratch memory is given back with the last program', async () => {
  await collectGarbage();
  const before = native.held().bytes;
  const pool = native.createPool(2);
  const compileAll = (): void => {
    for (const size of [64, 512, 128]) native.compile(pool, isas[0]!, product(65, size).description);
  };
  compileAll();
  expect(native.held().bytes).toBeGreaterThan(before);
  await collectGarbage();
  expect(native.held().bytes).toBeLessThanOrEqual(before);
});

it('memory is needed to compile, and not to ask', () => {
  const pool = native.createPool(1);
  const { description } = product(65, 64);
  expect(() => native.compile(pool, 'portable', placeless(description))).toThrow(
    'tensors[0].buffer must be a whole number from 0 to -1, got -1',
  );
});

const objects: Record<Isa, string> = {
  'avx512-bf16': 'kernels_avx512_bf16',
  avx512: 'kernels_avx512',
  avx2: 'kernels_avx2',
  portable: 'kernels_portable',
};
const objectOf = (isa: Isa): string =>
  fileURLToPath(new URL(`build/Release/obj.target/${objects[isa]}/native/cpu/kernels.o`, root));

it.for(isas)('kernels of %s call nothing that allocates', (isa, { skip }) => {
  if (process.platform !== 'linux' || !existsSync(objectOf(isa))) skip('needs what a build on Linux leaves');
  const symbols = execFileSync('nm', ['--undefined-only', '--format=posix', objectOf(isa)], {
    encoding: 'utf8',
  });
  const names = symbols.split('\n').map((line) => line.split(' ')[0]!);
  expect(names).toContain('memset');
  expect(names.filter((name) => /alloc|memalign|mmap|^_Zn[wa]|^_ZSt/.test(name))).toEqual([]);
});

/** Runs code in a process of its own that may take no more than 128 MiB beyond what it has after `before`. */
function underLimit(before: string, after: string): unknown {
  const code = `
    import { execFileSync } from 'node:child_process';
    import { readFileSync } from 'node:fs';
    import { cpuBackend, ops, trace } from ${JSON.stringify(new URL('dist/index.js', root).href)};
    const told = [];
    const attempt = async (task) => {
      try { told.push(await task()); } catch (error) { told.push([error.code, error.message]); }
    };
    ${before}
    const bytes = 1024 * Number(/^VmSize:\\s*(\\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
    execFileSync('prlimit', ['--pid', process.pid, '--as=' + (bytes + 128 * 2 ** 20)]);
    ${after}
    console.log(JSON.stringify(told));`;
  return JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' }),
  );
}

const canLimit = existsSync('/usr/bin/prlimit') && existsSync('/proc/self/status');
const reason = canLimit ? '' : ' (skipped: needs Linux and prlimit)';

describe.skipIf(!canLimit)(`where the system has no memory left${reason}`, () => {
  it('a program is refused, and smaller ones run', () => {
    const before = `
      const backend = cpuBackend({ threads: 2 });
      const buffersOf = (size) => new Map([['a', [65, size]], ['b', [size, size]]].map(
        ([name, shape]) => [name, backend.allocate({ shape, dtype: 'float32' })]));
      const compile = (size, buffers) => backend.compile(trace('product', (graph) => (
        { y: ops.matmul(graph.stateful('a', [65, size]), graph.stateful('b', [size, size])) })), buffers);
      const run = async (executable) => {
        await executable.run({});
        return (await executable.read(['y'])).y[0];
      };
      const [small, large] = [buffersOf(64), buffersOf(8192)];
      await small.get('a').write(new Float32Array(65 * 64).fill(1));
      await small.get('b').write(new Float32Array(64 * 64).fill(1));
      const first = await compile(64, small);
      await attempt(() => run(first));`;
    const after = `
      await attempt(() => compile(8192, large));
      await attempt(() => run(first));
      await attempt(async () => run(await compile(64, small)));`;
    const message =
      /^cpu: 2\d\d\.\d MiB of scratch memory were wanted for program product, but the system has not so much memory\. For a training/;
    expect(underLimit(before, after)).toEqual([64, ['memory', expect.stringMatching(message)], 64, 64]);
  });

  it('threads that cannot be started are an error', () => {
    const message = /^cpu: 500 threads could not be started: .*ask for fewer$/;
    expect(underLimit('', 'await attempt(() => cpuBackend({ threads: 500 }));')).toEqual([
      ['backend', expect.stringMatching(message)],
    ]);
  });
});
