import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { FilePool } from '../../src/host/file-pool.ts';
import { openParquet } from '../../src/sources/parquet.ts';
import { toCaption } from '../../src/sources/parquet/columns.ts';
import { ParquetFile } from '../../src/sources/parquet/file.ts';
import { RowReader } from '../../src/sources/parquet/rows.ts';
import type { ParquetData } from '../../src/sources/settings.ts';
import type { Source } from '../../src/data/source.ts';
import { describeTold, describeUnused, unusedAdvice } from '../../src/data/told.ts';
import { RectiflowError } from '../../src/tensor/errors.ts';

/** Made by make.py there. Image `row` is two grey pixels of brightness row and 255. */
const FIXTURES = fileURLToPath(new URL('fixtures/parquet/', import.meta.url));
const fixture = (name: string): string => join(FIXTURES, `${name}.parquet`);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parquet-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function open(path: string | string[], change: Partial<ParquetData> = {}): Promise<Source> {
  return openParquet({
    source: 'parquet',
    path,
    condition: 'auto',
    imageColumn: 'image',
    channels: 1,
    background: '#ffffff',
    transforms: [{ kind: 'center-crop', size: [1, 2] }],
    maxPixels: 1e6,
    ...change,
  });
}

/** Brightness of the first pixel, and annotation. */
async function readSample(source: Source, index: number): Promise<[number, unknown]> {
  const out = new Float32Array(2);
  const annotation = await source.read(index, out, 0, { seed: 0, epoch: 0 });
  expect(out[1]).toBe(1);
  return [Math.round((out[0]! + 1) * 127.5), annotation];
}

async function readAll(source: Source): Promise<[number, unknown][]> {
  try {
    return await Promise.all(Array.from({ length: source.count }, (_, index) => readSample(source, index)));
  } finally {
    await source.close?.();
  }
}

test('labels with their names, over two files of several groups of rows', async () => {
  const source = await open(join(FIXTURES, 'labels-{0..1}.parquet'));
  expect(source).toMatchObject({
    count: 15,
    shape: [1, 1, 2],
    classes: 3,
    classNames: ['cat', 'dog', 'owl'],
  });
  expect(source.describe?.(12)).toBe(`${fixture('labels-1')}: row 2`);
  expect(await readAll(source)).toEqual(
    Array.from({ length: 15 }, (_, i) => [i, { label: i < 10 ? i % 3 : 1 }]),
  );
});

test('captions', async () => {
  const source = await open(fixture('captions'));
  expect(source).toMatchObject({ count: 10, captions: true });
  expect(await readAll(source)).toEqual(Array.from({ length: 10 }, (_, i) => [i, { caption: `Föhn ${i}` }]));
});

test('lists of captions, of which one is drawn in each epoch', async () => {
  const source = await open(fixture('lists'), { condition: 'caption' });
  expect(describeTold(source)).toBe('captions (column text)');
  expect(source.isFixed).toBe(false);
  const drawn = await Promise.all(
    Array.from({ length: 20 }, (_, epoch) => source.read(0, new Float32Array(2), 0, { seed: 0, epoch })),
  );
  expect(new Set(drawn.map(({ caption }) => caption))).toEqual(new Set(['a', 'b']));
  await source.close?.();
});

test('columns: usual names whatever their case, those that are not used with what to do', async () => {
  const told = await open(fixture('columns'));
  expect(describeTold(told)).toBe('captions (column TEXT)');
  expect(unusedAdvice(told)).toEqual([]);
  expect(told.unused!.map(describeUnused)).toEqual([
    '1 column: "title"',
    '1 column: "species"',
    '1 column: "key"',
  ]);
  await told.close?.();
  const plain = await open(fixture('plain'), { imageColumn: 'picture' });
  expect(describeTold(plain)).toBe('nothing: unconditional');
  await plain.close?.();
  const byClass = await open(fixture('columns'), { condition: 'class', labelColumn: 'species' });
  expect(describeTold(byClass)).toBe('labels (1 class, column species)');
  expect(unusedAdvice(byClass)).toEqual([]);
  await byClass.close?.();
});

test('of several files one may be empty, which is said', async () => {
  const source = await open([fixture('labels-0'), fixture('empty')], { condition: 'none' });
  expect(source.count).toBe(10);
  expect(source.unused!.map(describeUnused)).toContain(`1 empty file: ${fixture('empty')}`);
  await source.close?.();
});

test('a caption that is no UTF-8 is named when it is read, and the others are not its fault', async () => {
  const bytes = await readFile(fixture('captions'));
  const second = bytes.indexOf('Föhn 1');
  bytes.set(Buffer.from('F\xf6', 'latin1'), second);
  const path = join(folder, 'latin.parquet');
  await writeFile(path, bytes);
  const source = await open(path);
  expect(await readSample(source, 0)).toEqual([0, { caption: 'Föhn 0' }]);
  await expect(readSample(source, 1)).rejects.toThrow(
    'latin.parquet: row 1: "text": is no text in UTF-8. Save it as UTF-8.',
  );
  await source.close?.();
});

test('columns by other names: plain bytes, and classes that are texts', async () => {
  const source = await open(fixture('plain'), { imageColumn: 'picture', labelColumn: 'kind' });
  expect(source).toMatchObject({ classes: 3, classNames: ['a', 'b', 'c'] });
  const kinds = [1, 0, 1, 2, 0, 1, 0, 1, 2, 0];
  expect(await readAll(source)).toEqual(kinds.map((label, i) => [i, { label }]));
});

test.each(['gzip', 'brotli'])('compressed with %s', async (codec) => {
  const samples = await readAll(await open(fixture(codec)));
  expect(samples.map(([row]) => row)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test.each(['zstd', 'lz4'])(
  '%s: read where there is something to read it with, else what to install',
  async (codec) => {
    const opened = await open(fixture(codec), { condition: 'none' }).then(readAll, (error: unknown) => error);
    if (opened instanceof Error)
      expect(opened.message).toMatch(/is compressed with .*npm install -D hyparquet-compressors/);
    else expect(opened).toHaveLength(10);
  },
);

describe('RowReader', () => {
  test('reads single rows by the index of pages where the set is larger than the cache', async () => {
    const pool = new FilePool();
    const file = await ParquetFile.open(fixture('pages'), pool);
    expect(await file.pageCount('image', 0)).toBe(5);
    const reads: [number, number][] = [];
    const read = file.read.bind(file);
    file.read = (column, start, end) => {
      reads.push([start, end]);
      return read(column, start, end);
    };
    const rows = new RowReader([file], ['text'], 1);
    for (const row of [7, 0, 9]) expect(await rows.value(file, 'text', row)).toBe(`Föhn ${row}`);
    expect(reads).toEqual([
      [7, 8],
      [0, 1],
      [9, 10],
    ]);
    await pool.close();
  });

  test('keeps groups up to its bound, and reads none twice at once', async () => {
    const pool = new FilePool();
    const file = await ParquetFile.open(fixture('labels-0'), pool);
    let reads = 0;
    const read = file.read.bind(file);
    file.read = (column, start, end) => {
      reads++;
      return read(column, start, end);
    };
    const all = Array.from({ length: 10 }, (_, row) => row);
    const large = new RowReader([file], ['label'], 1e6);
    await Promise.all(all.map((row) => large.value(file, 'label', row)));
    expect(reads).toBe(3);
    await Promise.all(all.map((row) => large.value(file, 'label', row)));
    expect(reads).toBe(3);
    const small = new RowReader([file], ['label'], file.columnBytes('label', 0));
    for (const row of [0, 3, 4, 0]) await small.value(file, 'label', row);
    expect(reads).toBe(6);
    await pool.close();
  });
});

describe('what is refused', () => {
  test.each<[string, Partial<ParquetData>, RegExp]>([
    [
      'labels-0',
      { imageColumn: 'imgae' },
      /labels-0\.parquet: has no column "imgae"; it has "image", "label"\. Set data\.imageColumn\. Did you mean "image"\?/,
    ],
    [
      'labels-0',
      { labelColumn: 'lable' },
      /has no column "lable".*Set data\.labelColumn\. Did you mean "label"\?/,
    ],
    ['captions', { captionColumn: 'caption' }, /has no column "caption".*Set data\.captionColumn/],
    ['labels-0', { imageColumn: 'label' }, /"label" is INT64, wanted bytes or a struct with bytes/],
    ['empty', {}, /empty\.parquet: holds no rows\. Write the images into it/],
    ['several', { condition: 'caption' }, /2 of 4 images have no caption: .*row 2, .*row 3/],
    ['lists', { condition: 'class' }, /lists\.parquet: row 0: "label" is 0\.5/],
    ['labels-0', { captionColumn: 'label', condition: 'caption' }, /"label" is INT64, wanted texts/],
    ['plain', { imageColumn: 'picture', condition: 'class' }, /the images have no labels/],
    ['nulls', { condition: 'class' }, /1 of 3 images have no label: .*nulls\.parquet: row 2/],
    ['nulls', { condition: 'caption' }, /1 of 3 images have no caption: .*nulls\.parquet: row 1/],
  ])('%s %j', async (name, change, message) => {
    await expect(open(fixture(name), change)).rejects.toThrow(message);
  });

  test('a group of rows that would fill memory, unless its pages are read one by one', async () => {
    const bytes = vi.spyOn(ParquetFile.prototype, 'columnBytes').mockReturnValue(3 * 2 ** 30);
    await expect(open(fixture('labels-0'))).rejects.toThrow(
      /has 3\.0 GiB of images in one group.*row_group_size=100/,
    );
    const source = await open(fixture('pages'));
    expect(await readSample(source, 7)).toEqual([7, { caption: 'Föhn 7' }]);
    bytes.mockRestore();
    await source.close?.();
  });

  test('a null image, when it is read', async () => {
    const source = await open(fixture('nulls'), { condition: 'none' });
    expect(await readSample(source, 2)).toEqual([2, {}]);
    await expect(readSample(source, 1)).rejects.toThrow(/nulls\.parquet: row 1: "image" has no bytes/);
    await source.close?.();
  });

  test('no Parquet, truncated, damaged', async () => {
    const good = await readFile(fixture('labels-0'));
    const cases: [string, Buffer, RegExp][] = [
      ['empty', Buffer.of(), /x\.parquet: is no Parquet file/],
      ['text', Buffer.from('hello world, hello'), /is no Parquet file/],
      ['cut', good.subarray(0, 1000), /x\.parquet: is truncated/],
      ['short', Buffer.from('PAR1PAR1'), /is truncated/],
      ['footer', Buffer.concat([good.subarray(0, 500), good.subarray(-8)]), /cannot be read as Parquet/],
    ];
    const path = join(folder, 'x.parquet');
    for (const [, bytes, message] of cases) {
      await writeFile(path, bytes);
      await expect(open(path)).rejects.toThrow(message);
    }
    await expect(open(join(folder, 'none.parquet'))).rejects.toThrow(/none\.parquet: no such file/);
  });

  test('damaged bytes are read or refused, never anything else', async () => {
    const good = await readFile(fixture('labels-0'));
    const path = join(folder, 'fuzz.parquet');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 4, max: good.length - 9 }), fc.nat(255)), {
          minLength: 1,
          maxLength: 3,
        }),
        async (changes) => {
          const bytes = Buffer.from(good);
          for (const [at, byte] of changes) bytes[at] = byte;
          await writeFile(path, bytes);
          const read = async (): Promise<unknown> => readAll(await open(path));
          await read().catch((error: unknown) => expect(error).toBeInstanceOf(RectiflowError));
        },
      ),
      { numRuns: 60 },
    );
  });
});

test('a fingerprint: the same in another place, another where an image is other bytes', async () => {
  const found = async (path: string): Promise<string> => {
    const source = await open(path);
    try {
      return await source.fingerprint!();
    } finally {
      await source.close!();
    }
  };
  const bytes = await readFile(fixture('captions'));
  const copy = join(folder, 'copy.parquet');
  await writeFile(copy, bytes);
  expect(await found(copy)).toBe(await found(fixture('captions')));
  // Within the pixels of the first PNG.
  bytes[bytes.indexOf('IDAT') + 8]! ^= 1;
  await writeFile(copy, bytes);
  expect(await found(copy)).not.toBe(await found(fixture('captions')));
});

// Made by hyparquet-writer, their footers changed: 12 images of 2 x 2 pixels in about 1,500 bytes. One of the bomb's is 20 MiB of zeros.
describe('files that are made to take all memory are refused:', () => {
  test.each([
    ['more rows than bytes', 'stated-rows', 'it says that it has 10000000 rows, and has 1516 bytes'],
    ['groups that are the same bytes', 'same-groups', 'two columns lie at byte 4'],
  ])('%s', async (_, name, problem) => {
    await expect(open(fixture(name))).rejects.toThrow(problem);
  });

  test('a page that grows beyond what any does', async () => {
    const source = await open(fixture('bomb'));
    await expect(readSample(source, 0)).rejects.toThrow(/a page of \d+ bytes says that it has 20\d{6}/);
    await source.close?.();
  });
});

test('what is no text is no caption', () => {
  expect(toCaption('red', 'text', 'a: row 1')).toBe('red');
  for (const value of [null, undefined, 7, { a: 1 }])
    expect(() => toCaption(value, 'text', 'a: row 1')).toThrow(/^a: row 1: "text" holds .*, wanted a text\./);
});
