// State that a run is done with is told of: in batches, in order, and on the CPU while the run goes on.
import { describe, expect, it } from 'vitest';
import type { Backend, Buffer, Executable, StateWatch } from '../../src/backends/backend.ts';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import { affine, assign } from '../../src/ops/index.ts';
import { type Program, trace } from '../../src/program/index.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { float32Backends } from '../support/backends.ts';

/** a, then c, then b: each x + 1, a long time after the one before; nothing touches idle. */
function storing(size: number, slowness: number): Program {
  return trace('storing', (graph) => {
    const x = graph.input('x', [size]);
    const state = new Map(['a', 'b', 'c', 'idle'].map((name) => [name, graph.stateful(name, [size])]));
    let value: Tensor = affine(x, 1, 1);
    for (const name of ['a', 'c', 'b']) {
      assign(state.get(name)!, value);
      for (let i = 0; i < slowness; i++) value = affine(value, 1, 0);
    }
    return { value };
  });
}

const small = storing(16, 1);
const bytes = 4 * 16;

interface Made {
  readonly executable: Executable;
  readonly buffers: ReadonlyMap<string, Buffer>;
}

const buffersOf = (backend: Backend, { state }: Program): Map<string, Buffer> =>
  new Map(state.map((tensor) => [tensor.name!, backend.allocate(tensor)]));

async function compiled(backend: Backend, program: Program): Promise<Made> {
  const buffers = buffersOf(backend, program);
  return { executable: await backend.compile(program, buffers), buffers };
}

/** Lists what is told. */
function listing(watched: Partial<StateWatch> = {}): StateWatch & { readonly told: string[][] } {
  const told: string[][] = [];
  const onFinal = (names: readonly string[]): void => void told.push([...names]);
  return { names: ['a', 'b', 'c', 'idle'], bytes, onFinal, told, ...watched };
}

describe.each(float32Backends())('on $label', ({ create, skip }) => {
  it.skipIf(skip)('each state is told of once, in the order in which the run is done with it', async () => {
    const { executable } = await compiled(create(), small);
    const x = new Float32Array(16);
    const all = listing();
    await executable.run({ x }, all);
    expect(all.told).toEqual([['idle'], ['a'], ['c'], ['b']]);
    const some = listing({ names: ['b', 'a'] });
    await executable.run({ x }, some);
    expect(some.told).toEqual([['a'], ['b']]);
    const none = listing({ names: [] });
    await executable.run({ x }, none);
    expect(none.told).toEqual([]);
    expect(all.told).toHaveLength(4);
  });

  it.skipIf(skip)(
    'as many bytes are told of at once as were asked for, or the next that is more',
    async () => {
      const { executable } = await compiled(create(), small);
      const toldBy = async (size: number): Promise<string[][]> => {
        const watch = listing({ bytes: size });
        await executable.run({ x: new Float32Array(16) }, watch);
        return watch.told;
      };
      expect(await toldBy(1)).toHaveLength(4);
      expect(await toldBy(bytes + 1)).toEqual([
        ['idle', 'a'],
        ['c', 'b'],
      ]);
      expect(await toldBy(3 * bytes)).toEqual([['idle', 'a', 'c'], ['b']]);
      expect(await toldBy(Infinity)).toEqual([['idle', 'a', 'c', 'b']]);
    },
  );

  it.skipIf(skip)('what is told of is there, and stays as whoever is told leaves it', async () => {
    const backend = create();
    const { executable, buffers } = await compiled(backend, small);
    const onFinal = ([name]: readonly string[]): void => {
      const values = backend.view?.(buffers.get(name!)!);
      expect(values?.[15] ?? 3).toBe(3);
      values?.fill(7);
    };
    await executable.run({ x: new Float32Array(16).fill(2) }, { names: ['a', 'c', 'b'], bytes: 1, onFinal });
    const left = backend.view ? 7 : 3;
    for (const name of ['a', 'b', 'c'])
      expect(await buffers.get(name)!.read()).toEqual(new Float32Array(16).fill(left));
  });

  it.skipIf(skip)('what a listener throws is thrown by the run, which ends, and the next runs', async () => {
    const { executable, buffers } = await compiled(create(), small);
    const told: string[] = [];
    const onFinal = ([name]: readonly string[]): void => {
      told.push(name!);
      throw new Error(`${name} is not wanted`);
    };
    const x = new Float32Array(16).fill(1);
    const run = executable.run({ x }, { ...listing(), onFinal });
    await expect(run).rejects.toThrow('idle is not wanted');
    expect(told).toEqual(['idle']);
    expect((await buffers.get('b')!.read())[0]).toBe(2);
    const next = listing();
    await executable.run({ x }, next);
    expect(next.told).toHaveLength(4);
  });

  it.skipIf(skip).each([
    [
      { names: ['a', 'd'] },
      'program storing: watch.names must be names of its state, each of them once, got d',
    ],
    [
      { names: ['a', 'a'] },
      'program storing: watch.names must be names of its state, each of them once, got a',
    ],
    [{ bytes: 0 }, 'program storing: watch.bytes must be a positive number of bytes, got 0'],
    [{ bytes: NaN }, 'program storing: watch.bytes must be a positive number of bytes, got NaN'],
  ])('%j is refused, and nothing runs', async (wrong, message) => {
    const { executable, buffers } = await compiled(create(), small);
    const run = executable.run({ x: new Float32Array(16) }, listing(wrong));
    await expect(run).rejects.toThrow(message);
    expect((await buffers.get('a')!.read())[0]).toBe(0);
  });
});

it('the CPU tells while the run goes on', async () => {
  const backend = cpuBackend({ threads: 1 });
  const program = storing(1 << 20, 150);
  const executable = await backend.compile(program, buffersOf(backend, program));
  const runs: number[] = [];
  const watch = listing({ names: ['a', 'c', 'b'], onFinal: () => void runs.push(executable.profile().runs) });
  for (let run = 0; run < 2; run++) await executable.run({ x: new Float32Array(1 << 20) }, watch);
  // In the middle of a run, it is not counted yet.
  expect(runs.slice(0, 2)).toEqual([0, 0]);
  expect(runs.slice(3, 5)).toEqual([1, 1]);
  expect(runs).toHaveLength(6);
});

it('runs that wait for each other each tell of their own', async () => {
  const backend = cpuBackend({ threads: 1 });
  const all = await Promise.all([1, 2, 3].map(() => compiled(backend, small)));
  const watches = all.map(() => listing());
  await Promise.all(all.map(({ executable }, i) => executable.run({ x: new Float32Array(16) }, watches[i])));
  for (const { told } of watches) expect(told).toEqual([['idle'], ['a'], ['c'], ['b']]);
});
