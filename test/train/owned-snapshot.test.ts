// What a rank writes of a step's state, and what it reads: its own elements of each tensor.
import { afterAll, describe, expect, it } from 'vitest';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import type { StoredTensor } from '../../src/tensor/stored-tensor.ts';
import { ownedRange } from '../../src/train/ranks/ownership.ts';
import { restoreSnapshot } from '../../src/train/restore.ts';
import { type CheckpointPart, type StoredCheckpoint, inMemory } from '../../src/train/run-store.ts';
import { Snapshot } from '../../src/train/snapshot.ts';
import { buffersOf, joinParts, model, readAll, extentOf } from '../support/owned-state.ts';

const backend = referenceBackend();
const cpu = cpuBackend({ threads: 1 });
afterAll(() => cpu.dispose());
const whole = new Snapshot({ model, buffers: await buffersOf(backend) });
await whole.take();

const of = (ranks: number) => Array.from({ length: ranks }, (_, rank) => extentOf(rank, ranks));

/** A checkpoint that is whole, but for what a test changes. @param reads is told of what was read, in elements */
function stored(
  change: (part: CheckpointPart, tensors: Map<string, StoredTensor>) => void = () => {},
  reads: (part: CheckpointPart, name: string, elements: number) => void = () => {},
): StoredCheckpoint {
  return {
    path: 'saved',
    step: 7,
    state: {},
    async open(part) {
      if (whole.parts[part] === undefined) return undefined;
      const tensors = new Map(whole.parts[part]);
      change(part, tensors);
      const opened = inMemory(part, tensors);
      return {
        ...opened,
        async read(name, range) {
          const tensor = await opened.read(name, range);
          reads(part, name, tensor.data.length);
          return tensor;
        },
      };
    },
  };
}

describe.each([1, 2, 4, 8])('%i ranks', (ranks) => {
  it.each(['a copy', 'the memory of the state'])(
    'each element of the state is in the snapshot of one of them: %s',
    async (kind) => {
      const parts = [];
      for (const extent of of(ranks)) {
        const buffers = await buffersOf(cpu, 0, extent);
        const snapshot = new Snapshot({ model, buffers, extent }, kind === 'a copy' ? undefined : cpu.view);
        await snapshot.take();
        parts.push(snapshot.parts);
      }
      expect(joinParts(parts)).toEqual(whole.parts);
    },
  );

  it('each reads what it owns of a whole checkpoint, and all of the weights', async () => {
    for (const extent of of(ranks)) {
      const buffers = await buffersOf(backend, undefined, extent);
      let read = 0;
      const saved = stored(undefined, (part, _, elements) => {
        if (part === 'optimizer') read += elements;
      });
      await restoreSnapshot({ model, buffers, extent }, saved);
      expect(await readAll(buffers)).toEqual(await readAll(await buffersOf(backend, 0, extent)));
      const slots = [...buffers].filter(([name]) => name.startsWith('adamw.'));
      expect(read).toBe(slots.reduce((sum, [, { shape }]) => sum + sizeOf(shape), 0));
    }
  });
});

it('a copy is of the time when it was taken, and each take replaces it', async () => {
  const extent = extentOf(3, 4);
  const buffers = await buffersOf(backend, 1, extent);
  const snapshot = new Snapshot({ model, buffers, extent });
  const weight = snapshot.parts.model.get('layer.weight')!;
  await snapshot.take();
  const before = weight.data.slice();
  await buffers.get('layer.weight')!.write(new Float32Array(300).fill(9));
  expect(weight.data).toEqual(before);
  await snapshot.take();
  expect(weight.data).toEqual(new Float32Array(before.length).fill(9));
});

describe('a rank without any element of a parameter', () => {
  const extent = extentOf(0, 4);
  const restored = (saved: StoredCheckpoint) =>
    buffersOf(backend, undefined, extent).then((buffers) =>
      restoreSnapshot({ model, buffers, extent }, saved),
    );

  it('has none of layer.bias', async () => {
    const buffers = await buffersOf(backend, 0, extent);
    expect([buffers.has('layer.bias'), buffers.has('adamw.m/layer.bias')]).toEqual([true, false]);
  });

  it.each<[string, (tensors: Map<string, StoredTensor>) => unknown, RegExp]>([
    [
      'which is missing',
      (tensors) => tensors.delete('adamw.m/layer.bias'),
      /^optimizer: does not fit the model: adamw\.m\/layer\.bias is missing\./,
    ],
    [
      'which has another shape',
      (tensors) => tensors.set('adamw.v/layer.bias', { dtype: 'F32', shape: [3], data: new Float32Array(3) }),
      /adamw\.v\/layer\.bias has shape \[3\], the model \[12\]/,
    ],
  ])('refuses a checkpoint %s', async (_, change, message) => {
    const saved = stored((part, tensors) => part === 'optimizer' && change(tensors));
    await expect(restored(saved)).rejects.toThrow(message);
  });

  it('refuses one without a part', async () => {
    const saved = stored();
    const without = {
      ...saved,
      open: async (part: CheckpointPart) => (part === 'ema' ? undefined : saved.open(part)),
    };
    await expect(restored(without)).rejects.toThrow(/^saved: has no ema\./);
  });
});

it('weights that are not finite are refused by the rank that reads them', async () => {
  const saved = stored((part, tensors) => {
    if (part !== 'ema') return;
    const { data, ...kernel } = tensors.get('kernel')!;
    const changed = data.slice() as Float32Array;
    changed[200] = NaN;
    tensors.set('kernel', { ...kernel, data: changed });
  });
  const outcomes = of(4).map(async (extent) => {
    const buffers = await buffersOf(backend, undefined, extent);
    return restoreSnapshot({ model, buffers, extent }, saved).then(
      () => 'read',
      (error: Error) => error.message,
    );
  });
  expect(await Promise.all(outcomes)).toEqual([
    'read',
    'read',
    'read',
    expect.stringMatching(/^ema: kernel has 1 value that is not finite, of/),
  ]);
});

it('an average that the checkpoint has not begins with its weights', async () => {
  for (const extent of of(4)) {
    const buffers = await buffersOf(backend, undefined, extent);
    const told: string[] = [];
    const saved = stored((part, tensors) => {
      if (part === 'averages')
        for (const { name } of model.parameters) tensors.delete(`ema.power-0.1/${name}`);
    });
    await restoreSnapshot({ model, buffers, extent }, saved, (text) => told.push(text));
    expect(told).toEqual(['saved: has no average power-0.1, which begins with the weights of step 7.']);
    const { start, end } = ownedRange([3, 4, 2, 9], extent.own);
    const kernel = await buffers.get('kernel')!.read();
    expect(await buffers.get('ema.power-0.1/kernel')!.read()).toEqual(kernel.subarray(start, end));
  }
});
