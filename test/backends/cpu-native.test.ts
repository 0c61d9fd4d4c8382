// The native addon by itself: what it refuses, and how runs share threads and the event loop.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import {
  type Description,
  type Isa,
  type NativeNode,
  type NativeTensor,
  loadNative,
  loadNativeFrom,
} from '../../src/backends/cpu/native.ts';
import { add, affine } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

const native = loadNative();
const pool = native.createPool(2);

const vector = (buffer: number, length: number): NativeTensor => ({
  buffer,
  offset: 0,
  dtype: 'float32',
  shape: [length],
});

const node = (op: string, inputs: number[], outputs: number[], attributes = {}): NativeNode => ({
  op,
  inputs,
  outputs,
  attributes,
});

/** y = x + x on `length` numbers, done `times` times. */
function doubling(length: number, times = 1): { x: Float32Array; y: Float32Array; description: Description } {
  const buffers = [native.allocate(4 * length), native.allocate(4 * length)];
  const description = {
    buffers,
    tensors: [vector(0, length), vector(1, length)],
    nodes: Array.from({ length: times }, () => node('add', [0, 0], [1])),
  };
  return { x: new Float32Array(buffers[0]!), y: new Float32Array(buffers[1]!), description };
}

describe('compile refuses', () => {
  const { description } = doubling(8);
  const tensor = (change: object): Description => ({
    ...description,
    tensors: [{ ...vector(0, 8), ...change }, vector(1, 8)],
  });
  const nodes = (change: object): Description => ({
    ...description,
    nodes: [{ ...node('add', [0, 0], [1]), ...change }],
  });
  const cases: [string, unknown, string][] = [
    ['no description', undefined, 'compile: description must be an object, got undefined'],
    ['missing parts', {}, 'compile: buffers must be an array, got undefined'],
    ['no ArrayBuffer', { ...description, buffers: [new Uint8Array(8)] }, 'buffers[0] must be an ArrayBuffer'],
    [
      'a buffer that is not there',
      tensor({ buffer: 2 }),
      'tensors[0].buffer must be a whole number from 0 to 1, got 2',
    ],
    ['a negative offset', tensor({ offset: -4 }), 'tensors[0].offset must be a whole number from 0'],
    [
      'an unaligned offset',
      tensor({ offset: 2 }),
      'tensors[0].offset must be a multiple of 4 bytes for float32',
    ],
    [
      'an unknown dtype',
      tensor({ dtype: 'float16' }),
      'dtype must be float32, bfloat16 or int32, got float16',
    ],
    [
      'a tensor beyond its buffer',
      tensor({ offset: 4 }),
      'tensors[0] ends beyond its buffer: offset 4 and 8 elements of float32 do not fit in the 32 bytes of buffers[0]',
    ],
    ['an overflowing shape', tensor({ shape: [2 ** 40, 2 ** 40] }), 'tensors[0].shape is too large'],
    ['an extent of 0', tensor({ shape: [0] }), 'tensors[0].shape[0] must be a whole number from 1'],
    ['a fraction', tensor({ shape: [1.5] }), 'got 1.5'],
    ['too many axes', tensor({ shape: Array(9).fill(1) }), 'has 9 axes, at most 8 are supported'],
    ['an unknown op', nodes({ op: 'sparkle' }), 'nodes[0] (sparkle): portable has no kernel for this op'],
    [
      'a tensor that is not there',
      nodes({ inputs: [0, 2] }),
      'nodes[0] (add).inputs[1] must be a whole number',
    ],
    [
      'an attribute of words',
      nodes({ attributes: { mode: 'fast' } }),
      'nodes[0] (add).attributes.mode must be a number, got a string',
    ],
  ];
  it.each(cases)('%s', (_, wrong, message) => {
    expect(() => native.compile(pool, 'portable', wrong as Description)).toThrow(message);
  });

  it('what is no pool, no program and no instruction set', () => {
    const wrong = native.compile(pool, 'portable', description) as never;
    expect(() => native.compile(wrong, 'portable', description)).toThrow('must be a pool made by createPool');
    expect(() => native.run(pool as never)).toThrow('must be a program made by compile');
    expect(() => native.compile(pool, 'sse9' as Isa, description)).toThrow(
      /of this machine \(.*portable\), got sse9/,
    );
    expect(() => native.createPool(0)).toThrow('threads must be a whole number from 1 to 1024, got 0');
  });
});

describe('run', () => {
  it('leaves the event loop free', async () => {
    const handle = native.compile(pool, 'portable', doubling(1 << 20, 400).description);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await native.run(handle);
    clearInterval(timer);
    const { runs, nanoseconds } = native.profile(handle);
    expect(runs).toBe(1);
    const milliseconds = nanoseconds.reduce((total, time) => total + time) / 1e6;
    expect(ticks).toBeGreaterThan(Math.min(20, milliseconds / 20));
  });

  it('waits its turn on a pool, in order', async () => {
    const first = doubling(1 << 16, 50);
    first.x.fill(1);
    // Reads what the first program writes.
    const second = native.compile(pool, 'portable', {
      buffers: [...first.description.buffers, native.allocate(4 << 16)],
      tensors: [vector(1, 1 << 16), vector(2, 1 << 16)],
      nodes: [node('square', [0], [1])],
    });
    const order: string[] = [];
    const handle = native.compile(pool, 'portable', first.description);
    const runs = ['first', 'second', 'third'].map(async (name, i) => {
      await native.run(i === 1 ? second : handle);
      order.push(name);
    });
    await Promise.all(runs);
    expect(order).toEqual(['first', 'second', 'third']);
    expect(first.y.every((value) => value === 2)).toBe(true);
    expect(native.profile(second).runs).toBe(1);
    expect(native.profile(handle).runs).toBe(2);
  });

  it('gives the same bits for any number of threads', async () => {
    const length = 1_000_003;
    const { x, y, description } = doubling(length);
    x.forEach((_, i) => (x[i] = Math.sin(i)));
    const total = { ...vector(1, 1), shape: [] };
    const results = new Set<number>();
    for (const threads of [1, 2, 3, 7, 16]) {
      const handle = native.compile(native.createPool(threads), native.features().isas[0]!, {
        ...description,
        tensors: [vector(0, length), total],
        nodes: [node('sum', [0], [1], { axes: [0] })],
      });
      for (let repeat = 0; repeat < 5; repeat++) {
        await native.run(handle);
        results.add(y[0]!);
      }
    }
    expect(results.size).toBe(1);
  });

  it('refuses memory that was transferred away', () => {
    const { description } = doubling(8);
    const own = new ArrayBuffer(32);
    const handle = native.compile(pool, 'portable', {
      ...description,
      buffers: [own, description.buffers[1]!],
    });
    structuredClone(own, { transfer: [own] });
    expect(() => native.run(handle)).toThrow('buffers[0] of the program was transferred');
  });

  it('refuses to listen to nodes that are not there or not in order, and to tell what is no function', () => {
    const handle = native.compile(pool, 'portable', doubling(8, 3).description);
    const listen = (nodes: unknown, onDone: unknown = () => {}): unknown =>
      native.run(handle, nodes as number[], onDone as () => void);
    expect(() => listen([3])).toThrow('run: nodes[0] must be a whole number from 0 to 2, got 3');
    expect(() => listen([1, 0])).toThrow('run: nodes[1] must be a whole number from 1 to 2, got 0');
    expect(() => listen('all')).toThrow('run: nodes must be an array, got a string');
    expect(() => listen([0], 'tell')).toThrow('run: onDone must be a function');
    expect(native.profile(handle).runs).toBe(0);
    native.release(handle);
  });

  it.each(['', ', [0, 100], () => {}'])(
    'survives the end of its thread in the middle of run(program%s)',
    async (listening) => {
      const addon = fileURLToPath(new URL('../../build/Release/rectiflow.node', import.meta.url));
      const code = `
      const native = require(${JSON.stringify(addon)});
      const buffers = [native.allocate(1 << 22)];
      const tensors = [{ buffer: 0, offset: 0, dtype: 'float32', shape: [1 << 20] }];
      const nodes = Array.from({ length: 200 }, () => ({ op: 'exp', inputs: [0], outputs: [0], attributes: {} }));
      const program = native.compile(native.createPool(2), 'portable', { buffers, tensors, nodes });
      for (let i = 0; i < 3; i++) native.run(program${listening});
      require('node:worker_threads').parentPort.postMessage('running');`;
      const worker = new Worker(code, { eval: true });
      await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      expect(await worker.terminate()).toBe(1);
    },
  );
});

describe('cpuBackend', () => {
  it('names what the machine has when asked for what it lacks', () => {
    const { isas } = native.features();
    expect(() => cpuBackend({ isa: 'mmx' as Isa })).toThrow(
      `cpu: there is no instruction set mmx; use one of ${isas.join(', ')}`,
    );
    const missing = (['avx512-bf16', 'avx512', 'avx2'] as const).find((isa) => !isas.includes(isa));
    if (missing)
      expect(() => cpuBackend({ isa: missing })).toThrow(`does not support ${missing}; use one of`);
    expect(() => cpuBackend({ threads: 1.5 })).toThrow(
      'cpu: threads must be a whole number from 1 to 1024, got 1.5',
    );
    expect(() => cpuBackend({ precision: 'fp8' as 'bf16' })).toThrow(
      'cpu: precision must be one of fp32, bf16, fp16, got fp8',
    );
  });

  it('keeps runs, reads and writes in the order they were asked for', async () => {
    const backend = cpuBackend({ threads: 2 });
    const length = 1 << 18;
    const program = trace('offset', (graph) => {
      const sum = add(graph.stateful('s', [length]), graph.input('x', [length]));
      return { y: Array.from({ length: 30 }).reduce<Tensor>((y) => affine(y, 1, 1), sum) };
    });
    const state = backend.allocate({ shape: [length], dtype: 'float32' });
    const executable = await backend.compile(program, new Map([['s', state]]));
    await expect(executable.read(['y'])).rejects.toThrow('program offset: output y was read before a run');
    const work = [
      executable.run({ x: new Float32Array(length).fill(1) }),
      executable.read(['y']),
      state.write(new Float32Array(length).fill(100)),
      executable.run({ x: new Float32Array(length).fill(2) }),
      executable.read(['y']),
    ];
    const [, first, , , second] = await Promise.all(work);
    type Outputs = { readonly y: HostArray };
    expect([...new Set((first as Outputs).y)]).toEqual([31]);
    expect([...new Set((second as Outputs).y)]).toEqual([132]);
    const { runs, ops } = executable.profile();
    expect(runs).toBe(2);
    expect(ops).toContainEqual(expect.objectContaining({ op: 'affine', nodes: 30 }));
  });

  it('describes itself in a line', () => {
    expect(cpuBackend({ isa: 'portable', threads: 1, precision: 'fp16' }).describe()).toMatch(
      /, portable, 1 thread, fp16 \(emulated/,
    );
    expect(cpuBackend({ isa: 'portable', threads: 1, precision: 'bf16' }).describe()).toMatch(
      /, portable, 1 thread, bf16 \(without bf16 instructions/,
    );
  });

  it('says what to do where the kernels are not built', () => {
    const load = (): unknown => loadNativeFrom(join(tmpdir(), 'rectiflow-nowhere') + sep);
    expect(load).toThrow(
      /Release.*not built[\s\S]*Debug.*not built[\s\S]*apt-get install build-essential python3/,
    );
  });
});

describe('placement', () => {
  const tasks = '/proc/self/task';
  const field = (path: string, name: string): string =>
    new RegExp(`^${name}:\\s*(.+)$`, 'm').exec(readFileSync(path, 'utf8'))![1]!;
  /** The processors of the threads that may use one only. */
  const own = (): Set<string> => {
    const lists = readdirSync(tasks).map((task) => field(`${tasks}/${task}/status`, 'Cpus_allowed_list'));
    return new Set(lists.filter((list) => /^\d+$/.test(list)));
  };
  const isLinux = existsSync(tasks);
  // A mask in groups of hexadecimal digits.
  const mask = isLinux ? BigInt(`0x${field('/proc/self/status', 'Cpus_allowed').replaceAll(',', '')}`) : 0n;
  const processors = [...mask.toString(2)].filter((bit) => bit === '1').length;
  const reason = isLinux ? (processors < 2 ? 'needs two processors' : undefined) : 'needs Linux';

  it.skipIf(reason !== undefined)(
    `gives every thread of a full pool a processor of its own, and the caller all of them again${reason ? ` (skipped: ${reason})` : ''}`,
    async () => {
      const full = native.createPool(processors);
      await native.run(native.compile(full, native.features().isas[0]!, doubling(1 << 20, 20).description));
      // All but the first processor, which was the caller's for as long as the program ran.
      await expect.poll(() => own().size).toBe(processors - 1);
      const first = mask.toString(2).length - 1 - mask.toString(2).lastIndexOf('1');
      expect(own().has(String(first))).toBe(false);
    },
  );
});
