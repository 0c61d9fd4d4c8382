import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeSafetensors } from '../../src/formats/safetensors-file.ts';
import type { StoredTensor } from '../../src/tensor/stored-tensor.ts';
import { openArray } from '../../src/sources/array-source.ts';
import type { ArrayData } from '../../src/sources/settings.ts';
import type { Source } from '../../src/data/source.ts';
import { describeTold, describeUnused, unusedAdvice } from '../../src/data/told.ts';
import { npy } from '../support/npy.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'array-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function write(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

async function open(path: string, change: Partial<ArrayData> = {}): Promise<Source> {
  return openArray({
    source: 'array',
    path,
    tensor: 'samples',
    latents: false,
    scale: 1,
    shift: 0,
    ...change,
  });
}

async function readAll(source: Source): Promise<[number[], unknown][]> {
  const size = source.shape.reduce((product, side) => product * side, 1);
  const samples: [number[], unknown][] = [];
  for (let index = 0; index < source.count; index++) {
    const out = new Float32Array(size + 1);
    const annotation = await source.read(index, out, 1, { seed: 0, epoch: 0 });
    samples.push([[...out.subarray(1)], annotation]);
  }
  await source.close?.();
  return samples;
}

let files = 0;
async function safetensors(tensors: Record<string, StoredTensor>): Promise<string> {
  const path = join(folder, `${files++}.safetensors`);
  await writeSafetensors(path, new Map(Object.entries(tensors)));
  return path;
}

test('bytes of .npy, with labels beside', async () => {
  const path = await write('bytes.npy', npy('|u1', [2, 3, 1, 1], Uint8Array.of(0, 255, 51, 255, 0, 204)));
  const labels = await write('labels.npy', npy('<i8', [2], BigInt64Array.of(2n, 0n)));
  const source = await open(path, { labels });
  expect(source).toMatchObject({ count: 2, shape: [3, 1, 1], classes: 3 });
  const [first, second] = await readAll(source);
  expect(first).toEqual([[-1, 1, Math.fround(51 / 127.5 - 1)], { label: 2 }]);
  expect(second).toEqual([[1, -1, Math.fround(204 / 127.5 - 1)], { label: 0 }]);
});

test('labels that are identifiers ask for no memory of as many classes', async () => {
  const path = await write('three.npy', npy('|u1', [3, 1, 1], Uint8Array.of(0, 255, 51)));
  const labels = await write('identifiers.npy', npy('<i8', [3], BigInt64Array.of(0n, 1n, 1_000_000_000n)));
  await expect(open(path, { labels })).rejects.toThrow(
    /labels of 3 images go up to 1000000000\. Number the classes/,
  );
});

test('labels that are there and are not read are named', async () => {
  const beside = await mkdtemp(join(folder, 'beside-'));
  const path = join(beside, 'images.npy');
  await writeFile(path, npy('|u1', [1, 1, 1], Uint8Array.of(0)));
  await writeFile(join(beside, 'train_labels.npy'), npy('<i8', [1], BigInt64Array.of(0n)));
  await writeFile(join(beside, 'other.npy'), '');
  expect(unusedAdvice(await open(path))).toEqual([
    `Not used: 1 .npy file: ${join(beside, 'train_labels.npy')}. If it holds the classes, set data.labels to it.`,
  ]);
  const told = await open(path, { labels: join(beside, 'train_labels.npy') });
  expect(unusedAdvice(told)).toEqual([]);
  expect(describeTold(told)).toBe(`labels (1 class, ${join(beside, 'train_labels.npy')})`);
  const own = join(await mkdtemp(join(folder, 'alone-')), 'class_images.npy');
  await writeFile(own, npy('|u1', [1, 1, 1], Uint8Array.of(0)));
  expect(unusedAdvice(await open(own))).toEqual([]);
  const tensors = await safetensors({
    samples: { dtype: 'U8', shape: [1, 1, 1], data: Uint8Array.of(0) },
    labels: { dtype: 'U8', shape: [1], data: Uint8Array.of(0) },
    masks: { dtype: 'U8', shape: [1], data: Uint8Array.of(0) },
  });
  const source = await open(tensors);
  expect(source.unused!.map(describeUnused)).toEqual(['1 tensor: labels', '1 tensor: masks']);
  expect(unusedAdvice(source)).toEqual([
    'Not used: 1 tensor: labels. If it holds the classes, set data.labels to it.',
  ]);
});

test('[N, H, W] is one channel; floats of 16 and 64 bits', async () => {
  const half = await open(await write('half.npy', npy('<f2', [1, 1, 2], Uint16Array.of(0x3c00, 0xb800))));
  expect(half).toMatchObject({ shape: [1, 1, 2] });
  expect(await readAll(half)).toEqual([[[1, -0.5], {}]]);
  expect(
    await readAll(await open(await write('double.npy', npy('<f8', [1, 1, 1], Float64Array.of(0.25))))),
  ).toEqual([[[0.25], {}]]);
});

test('latents of .safetensors: shifted, scaled, and recorded; labels from the same file', async () => {
  const path = await safetensors({
    latents: { dtype: 'F32', shape: [2, 4, 1, 1], data: Float32Array.of(1, 3, 5, 7, -1, -3, -5, 100) },
    classes: { dtype: 'U8', shape: [2], data: Uint8Array.of(1, 0) },
  });
  const source = await open(path, {
    tensor: 'latents',
    labels: 'classes',
    latents: true,
    scale: 0.5,
    shift: 1,
    classNames: ['a', 'b'],
  });
  expect(source).toMatchObject({
    count: 2,
    shape: [4, 1, 1],
    classNames: ['a', 'b'],
    record: { kind: 'latents', scale: 0.5, shift: 1 },
  });
  expect(await readAll(source)).toEqual([
    [[0, 1, 2, 3], { label: 1 }],
    [[-1, -2, -3, 49.5], { label: 0 }],
  ]);
});

describe('what is refused', () => {
  const floats = (...values: number[]): Buffer =>
    npy('<f4', [values.length, 1, 1, 1], Float32Array.from(values));
  test('values out of range, naming the sample', async () => {
    const path = await write('range.npy', floats(0, 1.5));
    const source = await open(path);
    const read = (from: Source, index: number) =>
      from.read(index, new Float32Array(1), 0, { seed: 0, epoch: 0 });
    await expect(read(source, 1)).rejects.toThrow(
      /range\.npy: sample 1: holds the value 1\.5\. Scale images to \[-1, 1\]/,
    );
    const latents = await open(await write('nan.npy', floats(9, NaN)), { latents: true });
    await read(latents, 0);
    await expect(read(latents, 1)).rejects.toThrow(
      /nan\.npy: sample 1: holds the value NaN\. Values must be finite/,
    );
    await source.close?.();
    await latents.close?.();
  });

  test.each<[string, Uint8Array, Partial<ArrayData>, RegExp]>([
    [
      'rank 2',
      npy('<f4', [2, 1], new Float32Array(2)),
      {},
      /has shape \[2, 1\], images are \[N, C, H, W\] or \[N, H, W\]/,
    ],
    [
      'rank 5',
      npy('<f4', [1, 1, 1, 1, 1], new Float32Array(1)),
      { latents: true },
      /latents are \[N, C, H, W\]/,
    ],
    ['no pixels', npy('<f4', [1, 1, 0, 1], new Float32Array(0)), {}, /has shape \[1, 1, 0, 1\]/],
    [
      'NHWC',
      npy('|u1', [1, 8, 8, 3], new Uint8Array(192)),
      {},
      /looks like \[N, H, W, C\].*transpose\(0, 3, 1, 2\)/,
    ],
    [
      'integers',
      npy('<i8', [1, 1, 1, 1], new BigInt64Array(1)),
      {},
      /has values of I64; images are uint8, or floats.*\(images\.astype\("float64"\) - black\)/,
    ],
    [
      '16 bits',
      npy('<u2', [1, 1, 1, 1], new Uint16Array(1)),
      {},
      /has values of U16; .*Convert it: \(images \/ 257\)\.round\(\)\.astype\("uint8"\)/,
    ],
    [
      'booleans',
      npy('|b1', [1, 1, 1, 1], new Uint8Array(1)),
      {},
      /has values of BOOL; .*Convert it: \(255 \* images\)\.astype\("uint8"\)/,
    ],
    [
      'signed bytes',
      npy('|i1', [1, 1, 1, 1], new Int8Array(1)),
      {},
      /has values of I8; .*Convert it: \(images\.astype\("int16"\) \+ 128\)/,
    ],
    ['labels of another number', floats(0, 0), { labels: 'three.npy' }, /there are 2 images and 3 labels/],
    [
      'labels that are floats',
      floats(0, 0),
      { labels: 'floats.npy' },
      /floats\.npy: has values of F32, labels are whole numbers/,
    ],
    [
      'labels of rank 2',
      floats(0, 0),
      { labels: 'rank2.npy' },
      /rank2\.npy: has shape \[2, 1\], labels are \[N\]/,
    ],
    ['a negative label', floats(0, 0), { labels: 'negative.npy' }, /sample 1 has label -1/],
    ['a huge label', floats(0, 0), { labels: 'huge.npy' }, /huge\.npy: sample 0 has label 4294967297/],
    [
      'too few names',
      floats(0, 0, 0),
      { labels: 'three.npy', classNames: ['a', 'b'] },
      /sample \d has label 2\. Labels must be whole numbers in \[0, 2\)/,
    ],
    ['labels that are not there', floats(0), { labels: 'none.npy' }, /none\.npy: no such file/],
  ])('%s', async (_, bytes, { labels, ...change }, message) => {
    await write('three.npy', npy('|u1', [3], Uint8Array.of(0, 1, 2)));
    await write('floats.npy', npy('<f4', [2], new Float32Array(2)));
    await write('rank2.npy', npy('|u1', [2, 1], new Uint8Array(2)));
    await write('negative.npy', npy('<i4', [2], Int32Array.of(0, -1)));
    await write('huge.npy', npy('<i8', [2], BigInt64Array.of(2n ** 32n + 1n, 0n)));
    const beside = labels === undefined ? {} : { labels: join(folder, labels) };
    await expect(open(await write('bad.npy', bytes), { ...change, ...beside })).rejects.toThrow(message);
  });

  test('other files', async () => {
    await expect(open(join(folder, 'none.npy'))).rejects.toThrow(/none\.npy: no such file/);
    await expect(open(await write('x.npz', Uint8Array.of(1)))).rejects.toThrow(
      /x\.npz: is no \.npy or \.safetensors file/,
    );
    await expect(open(folder)).rejects.toThrow(/is a folder without pack\.json/);
    const path = await safetensors({ sample: { dtype: 'U8', shape: [1, 1, 1, 1], data: Uint8Array.of(1) } });
    await expect(open(path)).rejects.toThrow(
      /has no tensor "samples"; it has "sample".*Did you mean "sample"\?/,
    );
  });
});
