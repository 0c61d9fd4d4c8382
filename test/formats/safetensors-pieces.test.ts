import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeSafetensors, safetensorsLayout } from '../../src/formats/safetensors.ts';
import {
  readSafetensors,
  readSafetensorsHeader,
  readSafetensorsTensor,
} from '../../src/formats/safetensors-file.ts';
import { createSafetensors, writePieces } from '../../src/formats/safetensors-pieces.ts';
import type { Pace } from '../../src/tensor/pace.ts';
import { type StoredTensor, pieceOf } from '../../src/tensor/stored-tensor.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pieces-'));
  path = join(folder, 'tensors.safetensors');
});
afterEach(() => rm(folder, { recursive: true }));

const numbers = (length: number): number[] => Array.from({ length }, (_, i) => i + 1);
const tensors = new Map<string, StoredTensor>([
  ['halves', { dtype: 'F16', shape: [7], data: Uint16Array.from(numbers(7)) }],
  // Several writes.
  ['large', { dtype: 'F32', shape: [3, 200_000], data: Float32Array.from(numbers(600_000)) }],
  ['one', { dtype: 'F32', shape: [], data: Float32Array.of(5) }],
  ['none', { dtype: 'F32', shape: [0, 4], data: new Float32Array(0) }],
]);
const metadata = { format: 'pt', note: 'é' };

/** Those of one of several processes. */
function pieces(rank: number, ranks: number): Map<string, StoredTensor> {
  return new Map(
    [...tensors].map(([name, tensor]) => {
      const at = (of: number): number => Math.floor((of * tensor.data.length) / ranks);
      return [name, pieceOf(tensor, { start: at(rank), end: at(rank + 1) })];
    }),
  );
}

it.each([1, 2, 5])('%i processes write the bytes of one', async (ranks) => {
  const layout = safetensorsLayout(tensors, metadata);
  await createSafetensors(path, layout);
  const places = { begins: layout.begins, dataStart: layout.header.length };
  await Promise.all(numbers(ranks).map((rank) => writePieces(path, places, pieces(rank - 1, ranks))));
  expect(Buffer.compare(await readFile(path), encodeSafetensors(tensors, metadata))).toBe(0);
});

it('a file that is not written yet has its size and its header, and zeros', async () => {
  await createSafetensors(path, safetensorsLayout(tensors, metadata));
  const found = await readSafetensors(path);
  expect(found.metadata).toEqual(metadata);
  expect(found.tensors.get('halves')!.data).toEqual(new Uint16Array(7));
});

it('pieces may be made when it is their turn, and are written at a pace', async () => {
  const layout = safetensorsLayout(tensors, metadata);
  await createSafetensors(path, layout);
  let rests = 0;
  const pace = { rest: async () => void rests++ } as unknown as Pace;
  async function* inTurn(): AsyncGenerator<[string, StoredTensor]> {
    for (const [name, tensor] of tensors) yield [name, tensor];
  }
  await writePieces(path, { begins: layout.begins, dataStart: layout.header.length }, inTurn(), pace);
  expect(Buffer.compare(await readFile(path), encodeSafetensors(tensors, metadata))).toBe(0);
  // 2.4 MB are three pieces.
  expect(rests).toBe(5);
});

describe('a file', () => {
  it('that is there already is not written over by a new one', async () => {
    await writeFile(path, 'mine');
    await expect(createSafetensors(path, safetensorsLayout(tensors))).rejects.toThrow(/EEXIST/);
    expect(await readFile(path, 'utf8')).toBe('mine');
  });

  it('that is not there is not made by who writes only pieces', async () => {
    const { begins } = safetensorsLayout(tensors);
    await expect(writePieces(path, { begins, dataStart: 64 }, tensors)).rejects.toThrow(/ENOENT/);
    await expect(readFile(path)).rejects.toThrow(/ENOENT/);
  });
});

it('a piece is read without the rest, and tells where it begins', async () => {
  await writeFile(path, encodeSafetensors(tensors, metadata));
  const header = await readSafetensorsHeader(path);
  const slot = header.slots.find(({ name }) => name === 'large')!;
  expect(await readSafetensorsTensor(path, header, slot, { start: 200_001, end: 200_003 })).toEqual({
    dtype: 'F32',
    shape: [3, 200_000],
    data: Float32Array.of(200_002, 200_003),
    start: 200_001,
  });
});
