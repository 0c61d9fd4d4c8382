import { mkdir, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openArray } from '../../src/sources/array-source.ts';
import { packSource, verifyPack } from '../../src/sources/pack.ts';
import { openShards } from '../../src/sources/shards.ts';
import type { Annotation, Source } from '../../src/data/source.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pack-'));
});
afterAll(() => rm(folder, { recursive: true }));

let targets = 0;
const target = (): string => join(folder, 'made', String(targets++));

/** Images [3, 2, 2] of bytes that depend on the index. */
function images(count: number, change: Partial<Source> = {}): Source {
  return {
    name: 'made',
    count,
    shape: [3, 2, 2],
    classes: 5,
    classNames: ['a', 'b', 'c', 'd', 'e'],
    async read(index, out, offset) {
      // Later ones are sooner read.
      await new Promise((resolve) => setTimeout(resolve, (count - index) % 3));
      for (let i = 0; i < 12; i++) out[offset + i] = ((index * 37 + i * 21) % 256) / 127.5 - 1;
      return { label: index % 5 };
    },
    ...change,
  };
}

async function readAll(source: Source): Promise<[number[], Annotation][]> {
  const size = source.shape.reduce((product, side) => product * side, 1);
  const samples: [number[], Annotation][] = [];
  for (let index = 0; index < source.count; index++) {
    const out = new Float32Array(size);
    const annotation = await source.read(index, out, 0, { seed: 0, epoch: 0 });
    samples.push([[...out], annotation]);
  }
  await source.close?.();
  return samples;
}

const asArray = (path: string): Promise<Source> =>
  openArray({ source: 'array', path, tensor: 'samples', latents: false, scale: 1, shift: 0 });

const asShards = (path: string, channels: 1 | 3 = 3): Promise<Source> =>
  openShards({
    source: 'shards',
    path: join(path, '*.tar'),
    condition: 'auto',
    channels,
    background: '#ffffff',
    transforms: [{ kind: 'center-crop', size: 2 }],
    maxPixels: 1e6,
  });

describe('what was packed reads back bit for bit', () => {
  test('classes, as shards and as an array of bytes', async () => {
    const source = images(23);
    const [shards, array] = [target(), target()];
    const progress: number[] = [];
    const manifest = await packSource(source, shards, {
      form: 'shards',
      samplesPerShard: 10,
      onProgress: (done, total) => progress.push(done / total),
    });
    expect(progress).toHaveLength(23);
    expect(progress.at(-1)).toBe(1);
    expect(manifest.files.map(({ name, count }) => [name, count])).toEqual([
      ['000000.tar', 10],
      ['000001.tar', 10],
      ['000002.tar', 3],
      ['classes.json', undefined],
    ]);
    expect(await packSource(source, array, { form: 'array' })).toMatchObject({
      dtype: 'uint8',
      bounded: true,
    });
    const wanted = await readAll(source);
    for (const packed of [await asShards(shards), await asArray(array)]) {
      expect(packed).toMatchObject({
        count: 23,
        shape: [3, 2, 2],
        classes: 5,
        classNames: source.classNames,
      });
      expect(await readAll(packed)).toEqual(wanted);
    }
    for (const path of [shards, array]) expect(await verifyPack(path)).toMatchObject({ count: 23 });
  });

  test('a signal stops it, and nothing is left behind', async () => {
    for (const form of ['shards', 'array'] as const) {
      const controller = new AbortController();
      const { signal } = controller;
      const path = target();
      const onProgress = (done: number): void => {
        if (done === 3) controller.abort();
      };
      await expect(packSource(images(23), path, { form, signal, onProgress })).rejects.toThrow('aborted');
      const beside = await readdir(dirname(path));
      expect(beside.filter((name) => name.split('.')[0] === basename(path))).toEqual([]);
    }
  });

  test('captions of any letters; shards of a bounded size', async () => {
    const { read, name, shape } = images(4);
    const captions = ['a\nb "c"', 'Föhn 🌬', '', 'd'];
    const source: Source = {
      name,
      shape,
      count: 4,
      captions: true,
      read: async (index, ...rest) => (await read(index, ...rest), { caption: captions[index]! }),
    };
    const [shards, array] = [target(), target()];
    const { files } = await packSource(source, shards, { form: 'shards', shardMiB: 1e-6 });
    expect(files).toHaveLength(4);
    await packSource(source, array, { form: 'array' });
    const wanted = await readAll(source);
    expect(await readAll(await asShards(shards))).toEqual(wanted);
    expect(await readAll(await asArray(array))).toEqual(wanted);
  });

  test('values that no byte stands for, found late; latents with their record; vectors', async () => {
    const late = images(5, {
      read(index, out, offset) {
        out.fill(index < 4 ? 1 : 0.1, offset, offset + 12);
        return { label: 0 };
      },
    });
    const [first, second] = [target(), target()];
    expect(await packSource(late, first, { form: 'array' })).toMatchObject({
      dtype: 'float32',
      bounded: true,
    });
    expect(await readAll(await asArray(first))).toEqual(await readAll(late));
    const vectors: Source = {
      name: 'cells',
      count: 3,
      shape: [7],
      record: { genes: ['x'] },
      read(index, out, offset) {
        for (let i = 0; i < 7; i++) out[offset + i] = index * 10 + i / 7;
        return {};
      },
    };
    expect(await packSource(vectors, second, { form: 'array' })).toMatchObject({
      dtype: 'float32',
      bounded: false,
    });
    const packed = await asArray(second);
    expect(packed).toMatchObject({ shape: [7], record: { genes: ['x'] } });
    expect(await readAll(packed)).toEqual(await readAll(vectors));
  });

  test('the same source gives the same files', async () => {
    const packs = [
      await packSource(images(6), target(), { form: 'shards' }),
      await packSource(images(6), target(), { form: 'shards' }),
    ];
    expect(packs[0]).toEqual(packs[1]);
  });

  test('grey', async () => {
    const grey = images(3, {
      shape: [1, 2, 2],
      read(index, out, offset) {
        out.set(
          [index, 128, 254, 255].map((byte) => byte / 127.5 - 1),
          offset,
        );
        return { label: 1 };
      },
    });
    const path = target();
    await packSource(grey, path, { form: 'shards' });
    expect(await readAll(await asShards(path, 1))).toEqual(await readAll(grey));
  });
});

describe('what is refused, with nothing left behind', () => {
  const fraction: Partial<Source> = {
    read(_, out, offset) {
      out.fill(0.1, offset, offset + 12);
      return { label: 0 };
    },
  };
  test.each<[string, Source, Parameters<typeof packSource>[2], RegExp]>([
    ['no samples', images(0), { form: 'array' }, /made: holds no samples/],
    [
      'a limit of 0',
      images(1),
      { form: 'shards', samplesPerShard: 0 },
      /samplesPerShard must be a number above 0, got 0/,
    ],
    ['a limit of NaN', images(1), { form: 'shards', shardMiB: NaN }, /shardMiB must be a number above 0/],
    [
      'fractions as PNG',
      images(1, fraction),
      { form: 'shards' },
      /sample 0 of made: holds values that no byte.*Pack the samples into an array/,
    ],
    ['vectors as PNG', images(1, { shape: [12] }), { form: 'shards' }, /samples \[12\] are no images/],
    ['latents as PNG', images(1, { record: { scale: 1 } }), { form: 'shards' }, /are no images/],
    ['two of a name', images(1, { classNames: ['a', 'a'] }), { form: 'shards' }, /"a" comes twice.*array/],
    [
      'a label out of range',
      images(9, { classes: 4 }),
      { form: 'array' },
      /sample 4 of made: has label 4, outside of \[0, 4\)/,
    ],
    [
      'a caption that is not there',
      images(1, { captions: true }),
      { form: 'shards' },
      /sample 0 of made: has no caption/,
    ],
    [
      'NaN',
      images(1, { read: (_, out, offset) => (out.fill(NaN, offset, offset + 12), { label: 0 }) }),
      { form: 'array' },
      /sample 0 of made: holds the value NaN/,
    ],
    [
      'a sample that cannot be read',
      images(40, {
        read: async (index, out, offset) => {
          if (index === 30) throw new Error('unreadable');
          out.fill(1, offset, offset + 12);
          return { label: 0 };
        },
      }),
      { form: 'shards' },
      /^unreadable$/,
    ],
  ])('%s', async (_, source, options, message) => {
    const path = target();
    await expect(packSource(source, path, options)).rejects.toThrow(message);
    await mkdir(join(folder, 'made'), { recursive: true });
    const left = await readdir(join(folder, 'made'));
    expect(left.filter((name) => name.startsWith(String(targets - 1)))).toEqual([]);
  });

  test('a folder that is there', async () => {
    const path = target();
    await mkdir(path, { recursive: true });
    await expect(packSource(images(1), path, { form: 'array' })).rejects.toThrow(/is there already/);
  });

  test('one form read as the other, and settings of unpacked arrays', async () => {
    const [shards, array] = [target(), target()];
    await packSource(images(2), shards, { form: 'shards' });
    await packSource(images(2), array, { form: 'array' });
    await expect(asArray(shards)).rejects.toThrow(/is packed into shards. Set data\.source to shards/);
    await expect(
      openArray({ source: 'array', path: array, tensor: 'samples', latents: true, scale: 2, shift: 0 }),
    ).rejects.toThrow(/is packed with its labels, captions, scale and shift/);
  });
});

describe('damage of a pack', () => {
  const packed = async (): Promise<string> => {
    const path = target();
    const source = images(3, { captions: true });
    await packSource(
      { ...source, read: async (...all) => ({ ...(await source.read(...all)), caption: 'a' }) },
      path,
      { form: 'array' },
    );
    return path;
  };

  test('a changed byte is found by its checksum', async () => {
    const path = await packed();
    const samples = join(path, 'samples.bin');
    const bytes = await readFile(samples);
    bytes[5]! ^= 1;
    await writeFile(samples, bytes);
    await expect(verifyPack(path)).rejects.toThrow(/samples\.bin: has changed: SHA-256 must be/);
    await truncate(samples, 5);
    await expect(verifyPack(path)).rejects.toThrow(/samples\.bin: has 5 bytes, 36 were packed/);
    await expect(asArray(path)).rejects.toThrow(/samples\.bin: has 5 bytes, 36 were packed/);
    await rm(samples);
    await expect(verifyPack(path)).rejects.toThrow(/samples\.bin: no such file/);
    await expect(asArray(path)).rejects.toThrow(/samples\.bin: no such file/);
  });

  test('other lines of captions, as long as before', async () => {
    const path = await packed();
    await writeFile(join(path, 'captions.jsonl'), '"a"\n"bb\n"c"\n');
    const source = await asArray(path);
    const read = source.read(1, new Float32Array(12), 0, { seed: 0, epoch: 0 });
    await expect(read).rejects.toThrow(/captions\.jsonl: line 2 is no JSON/);
    await source.close?.();
    await writeFile(join(path, 'captions.jsonl'), '"a"\n"bbbbb"\n');
    await expect(asArray(path)).rejects.toThrow(/captions\.jsonl: has 2 lines for 3 samples/);
  });

  test.each<[string, string, RegExp]>([
    ['no JSON', '{', /pack\.json: holds no valid JSON/],
    ['another format', '{"format": "x"}', /pack\.json: is no manifest of a pack: format/],
    [
      'a path',
      '{"format": "rectiflow pack", "version": 1, "form": "array", "count": 0, "shape": [1], "captions": false, "files": [{"name": "../x", "bytes": 0, "sha256": ""}]}',
      /files\.0\.name/,
    ],
  ])('a manifest of %s', async (_, content, message) => {
    const path = await packed();
    await writeFile(join(path, 'pack.json'), content);
    await expect(verifyPack(path)).rejects.toThrow(message);
    await expect(asArray(path)).rejects.toThrow(message);
  });
});
