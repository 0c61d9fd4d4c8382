// Tensors that are small parts of large storages: what is read is bounded by the file, and not by how often it is asked for.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TorchTensor } from '../../../src/formats/pytorch/pickle-values.ts';
import { TorchFile } from '../../../src/formats/pytorch/torch-file.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { dict, pickle, tensor, torchArchive } from '../../support/torch-archive.ts';

let path: string;
beforeAll(async () => {
  path = join(await temporaryFolder(), 'x.pt');
});

describe('storages that many tensors are parts of', () => {
  const elements = 1 << 20;
  const part = (key: string, offset: number): Buffer =>
    tensor({ key, elements, offset, shape: [1], strides: [1] });
  // Little enough in order that it shrinks by less than what no weights do.
  const valueAt = (i: number): number => Math.floor(1000 * Math.abs(Math.sin(i)));
  const storage = (): Buffer => Buffer.from(new Float32Array(elements).map((_, i) => valueAt(i)).buffer);

  it('are inflated once', async () => {
    const parts = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`t${i}`, part('0', i)]));
    await writeFile(path, torchArchive(pickle(dict(parts)), { 0: storage() }, { deflate: true }));
    const file = await TorchFile.open(path);
    const values = file.value as ReadonlyMap<string, TorchTensor>;
    for (const [i, each] of [...values.values()].entries())
      expect((await file.read(each)).data[0]).toBe(valueAt(i));
    // Inflating the storage for each tensor takes half a minute.
  }, 20_000);

  it('are not read without end where there are more than are kept', async () => {
    const many = 17;
    const keys = Array.from({ length: many }, (_, i) => String(i));
    const parts = Object.fromEntries(
      Array.from({ length: 6 * many }, (_, i) => [`t${i}`, part(String(i % many), Math.floor(i / many))]),
    );
    const storages = Object.fromEntries(keys.map((key) => [key, new Uint8Array(storage())]));
    await writeFile(path, torchArchive(pickle(dict(parts)), storages));
    const file = await TorchFile.open(path);
    const reading = async (): Promise<void> => {
      for (const each of (file.value as ReadonlyMap<string, TorchTensor>).values()) await file.read(each);
    };
    await expect(reading()).rejects.toThrow(
      /has tensors that are parts of its storages in such an order that \d+ bytes are read for \d+/,
    );
  });
});
