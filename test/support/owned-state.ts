// A step's state by hand, whole or as a rank holds it, and pieces of it put together again.
import type { Backend, Buffer, Buffers } from '../../src/backends/backend.ts';
import type { Module } from '../../src/nn/module.ts';
import { adamwDefaults, adamwGroups } from '../../src/optim/adamw.ts';
import { type StateExtent, stateShapes } from '../../src/train/owned-state.ts';
import { type Ownership, ownedRange, ownedShape } from '../../src/train/ranks/ownership.ts';
import type { Checkpoint, CheckpointPart } from '../../src/train/run-store.ts';
import { type Shape, sizeOf } from '../../src/tensor/shape.ts';
import type { StoredTensors } from '../../src/tensor/stored-tensor.ts';

const slices = 8;
const table: Shape = [5, 7];

/** Parameters that are cut into eight slices, and one of so few elements that only the last rank has any. */
export const model = {
  parameters: [
    { name: 'layer.weight', shape: [12, 25] },
    { name: 'layer.bias', shape: [12] },
    { name: 'kernel', shape: [3, 4, 2, 9] },
  ],
  tables: [
    {
      name: 'table',
      shape: table,
      values: () => numbersOf('table', sizeOf(table)),
      matches: (values: Float32Array) => values[1] === numbersOf('table', sizeOf(table))[1],
    },
  ],
} as unknown as Module;

const shapes = stateShapes({
  task: { module: model } as never,
  optimizers: adamwGroups(adamwDefaults),
  averages: ['0.999', 'power-0.1'],
});

/** What a rank is told of the state. */
export function extentOf(rank: number, ranks: number): Required<StateExtent> & { readonly own: Ownership } {
  const count = slices / ranks;
  return { own: { slices, first: rank * count, count }, shapes };
}

/** The state's numbers, which depend on the name alone. @param seed of another state */
export function numbersOf(name: string, size: number, seed = 0): Float32Array {
  const first = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), seed);
  return Float32Array.from({ length: size }, (_, i) => Math.fround(Math.sin(first + i)));
}

/** The buffers of a rank, which is one of one by default. @param seed undefined for zeros */
export async function buffersOf(
  backend: Backend,
  seed: number | undefined = 0,
  { own }: Pick<Required<StateExtent>, 'own'> = extentOf(0, 1),
): Promise<Map<string, Buffer>> {
  const buffers = new Map<string, Buffer>();
  for (const [name, whole] of shapes) {
    const isWeight = model.parameters.some((each) => each.name === name);
    const shape = isWeight ? whole : ownedShape(whole, own!);
    if (shape === undefined) continue;
    const { start, end } = isWeight ? { start: 0, end: sizeOf(whole) } : ownedRange(whole, own!);
    const buffer = backend.allocate({ shape, dtype: 'float32' });
    if (seed !== undefined) await buffer.write(numbersOf(name, sizeOf(whole), seed).subarray(start, end));
    buffers.set(name, buffer);
  }
  return buffers;
}

/** The numbers of buffers, by name. */
export async function readAll(buffers: Buffers): Promise<Map<string, readonly number[]>> {
  const read = [...buffers].map(async ([name, buffer]) => [name, [...(await buffer.read())]] as const);
  return new Map(await Promise.all(read));
}

type Parts = Pick<Checkpoint, CheckpointPart>;

/** What ranks have in pieces, whole. @throws where an element is missing or is there twice */
export function joinParts(ofRanks: readonly Parts[]): Parts {
  const [first] = ofRanks;
  const joined = (Object.keys(first!) as CheckpointPart[]).flatMap((part) => {
    const pieces = ofRanks.map((parts) => parts[part]!);
    return first![part] ? [[part, joinTensors(pieces)] as const] : [];
  });
  return Object.fromEntries(joined) as unknown as Parts;
}

export function joinTensors(ofRanks: readonly StoredTensors[]): StoredTensors {
  return new Map(
    [...ofRanks[0]!].map(([name, { dtype, shape }]) => {
      const data = new Float32Array(sizeOf(shape));
      const times = new Uint8Array(data.length);
      for (const tensors of ofRanks) {
        const piece = tensors.get(name)!;
        const start = piece.start ?? 0;
        data.set(piece.data as Float32Array, start);
        for (let i = 0; i < piece.data.length; i++) times[start + i]!++;
      }
      if (times.some((count) => count !== 1)) throw new Error(`pieces of ${name} do not make it up`);
      return [name, { dtype, shape, data }];
    }),
  );
}
