import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arraySource } from '../../src/sources/arrays.ts';
import { Loader } from '../../src/data/loader.ts';
import { writePreview } from '../../src/pictures/preview.ts';
import { GLYPH_HEIGHT, GLYPH_WIDTH, digits, glyphOf } from '../../src/pictures/preview/font.ts';
import { wrap } from '../../src/pictures/preview/text.ts';
import type { Source } from '../../src/data/source.ts';
import { RectiflowError } from '../../src/tensor/errors.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'preview-'));
});
afterAll(() => rm(folder, { recursive: true }));

const file = (): string => join(folder, 'preview.png');

/** Grey squares, each of a brightness of its own. */
function squares(count: number, change: Partial<Source> = {}): Source {
  const brightness = (index: number): number => (2 * index) / 255 - 1;
  return {
    name: 'squares',
    count,
    shape: [1, 144, 144],
    read: (index, out, offset) => {
      out.fill(brightness(index), offset, offset + 144 * 144);
      return {};
    },
    ...change,
  };
}

interface Seen {
  readonly width: number;
  readonly at: (x: number, y: number) => number[];
}

async function look(): Promise<Seen> {
  const { data, info } = await sharp(file()).raw().toBuffer({ resolveWithObject: true });
  const { width } = info;
  return { width, at: (x, y) => [...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)] };
}

/** The middle of the picture in this column and row, where there is no text. */
const middle = (place: number): number => 24 + 156 / 2 + place * (156 + 16);

describe('a preview', () => {
  test('shows the samples that a training reads first, in its order, on grey', async () => {
    const source = squares(100);
    expect(await writePreview(file(), source, { seed: 5, count: 9, epoch: 2 })).toEqual({ count: 9 });
    const loader = new Loader(source, { batchSize: 9, seed: 5, position: { epoch: 2, offset: 0 } });
    const { values } = await loader.next();
    loader.close();
    const bytes = Array.from({ length: 9 }, (_, i) => Math.round((values[i * 144 * 144]! + 1) * 127.5));
    const { at, width } = await look();
    expect(width).toBe(24 + 3 * 156 + 2 * 16 + 24);
    const rows = [0, 1, 2].map((row) => 24 + 72 + row * (144 + 16));
    const seen = rows.flatMap((y) => [0, 1, 2].map((column) => at(middle(column), y)));
    expect(seen).toEqual(bytes.map((byte) => [byte, byte, byte]));
    expect(at(0, 0)).toEqual([0xd8, 0xd8, 0xd8]);
  });

  test('is of no more samples than there are', async () => {
    expect(await writePreview(file(), squares(3), { seed: 0 })).toEqual({ count: 3 });
  });

  test('has the class or the caption below each', async () => {
    const told: Partial<Source>[] = [
      {},
      { classes: 1, classNames: ['iii'], read: () => ({ label: 0 }) },
      { captions: true, read: () => ({ caption: 'iii' }) },
      { captions: true, read: () => ({ caption: 'ooo' }) },
    ];
    const pictures: Buffer[] = [];
    for (const source of told) {
      await writePreview(file(), squares(1, source), { seed: 0 });
      pictures.push(await sharp(file()).raw().toBuffer());
    }
    const [none, label, caption, other] = pictures;
    expect(none!.includes(0x20)).toBe(false);
    expect(label!.includes(0x20)).toBe(true);
    expect(caption!.equals(label!)).toBe(true);
    expect(caption!.equals(other!)).toBe(false);
  });

  test('enlarges small pictures by a whole number, and reduces large ones', async () => {
    const images = Float32Array.from({ length: 3 * 4 }, (_, i) => i / 6 - 1);
    await writePreview(file(), arraySource({ images, shape: [3, 2, 2] }), { seed: 0 });
    const { at } = await look();
    const corner = 24 + 6;
    expect(at(corner + 71, 24 + 71)).toEqual([0, 85, 170]);
    expect(at(corner + 72, 24 + 71)).toEqual([21, 106, 191]);
    await writePreview(file(), squares(1, { shape: [1, 512, 1024], read: () => ({}) }), { seed: 0 });
    expect((await sharp(file()).metadata()).width).toBe(24 + 256 + 24);
  });

  test('of latents shows three channels, each from its least to its largest value', async () => {
    const images = Float32Array.from({ length: 8 }, (_, i) => [5, -3, 100, 7][i % 4]! * (i < 4 ? 1 : 2));
    const latents = arraySource({ images, shape: [4, 1, 1], unbounded: true });
    expect(await writePreview(file(), latents, { seed: 0 })).toEqual({ count: 2, latentChannels: 3 });
    const { at } = await look();
    const seen = [at(middle(0), 100), at(middle(1), 100)];
    expect(seen.toSorted(([a], [b]) => a! - b!)).toEqual([
      [0, 255, 0],
      [255, 0, 255],
    ]);
  });

  test('leaves out bad samples where the policy says so', async () => {
    const good = squares(40);
    const read: Source['read'] = (index, ...rest) => {
      if (index === 7) throw new RectiflowError('file', '7.png: is truncated.');
      return good.read(index, ...rest);
    };
    const skipped: string[] = [];
    const onBad = ({ message }: RectiflowError): number => skipped.push(message);
    const source = squares(40, { read });
    await writePreview(file(), source, { seed: 0, onBadSample: 'skip', onBad });
    expect(skipped).toEqual(['7.png: is truncated.']);
    await expect(writePreview(file(), source, { seed: 0 })).rejects.toThrow('7.png: is truncated.');
  });

  test('is refused for what is no picture', async () => {
    const read = (): object => ({});
    const source = { name: 'a.npy', count: 1, shape: [7], read };
    await expect(writePreview(file(), source, { seed: 0 })).rejects.toThrow(
      'a.npy: samples are arrays of [7] numbers: there is no picture of them. See what is in them with: rectiflow data check.',
    );
  });
});

describe('text', () => {
  test('breaks between words, within long ones, and ends in dots where it is cut', () => {
    expect(wrap('', 12, 3)).toEqual([]);
    expect(wrap('red heart', 12, 3)).toEqual(['red heart']);
    expect(wrap('smiling face with sunglasses', 12, 3)).toEqual(['smiling face', 'with', 'sunglasses']);
    expect(wrap('abcdefgh ij', 4, 3)).toEqual(['abcd', 'efgh', 'ij']);
    expect(wrap('one two three four five', 5, 3)).toEqual(['one', 'two', 'th...']);
  });

  test('is plain letters where there are such, else as it is', () => {
    expect(wrap('Café “ﬁne” – １２ 日本語 й 한 😀', 60, 3)).toEqual(['Cafe "fine" - 12 日本語 й 한 😀']);
  });

  test('shows what nobody would see, or a terminal would obey, escaped', () => {
    expect(wrap('a\u001b[31mb \u202ec', 40, 3)).toEqual(['a\\x1b[31mb \\u202ec']);
    expect(wrap('two\nlines\tand a tab', 40, 3)).toEqual(['two lines and a tab']);
  });

  test('counts two columns for letters as wide as high, and for those whose number has five digits', () => {
    expect(wrap('😀😀😀', 4, 3)).toEqual(['😀😀', '😀']);
    expect(wrap('日日жж日', 4, 3)).toEqual(['日日', 'жж日']);
  });

  test('of a hundred megabytes is cut at once', () => {
    expect(wrap('a'.repeat(100_000_000), 10, 2)).toEqual(['aaaaaaaaaa', 'aaaaaaa...']);
    expect(wrap(' '.repeat(100_000_000), 10, 2)).toEqual([]);
  });

  test('never is wider or higher than it may be', () => {
    const property = fc.property(
      fc.string({ unit: 'binary' }),
      fc.integer({ min: 4, max: 30 }),
      (text, columns) => {
        const lines = wrap(text, columns, 3);
        expect(lines.length).toBeLessThanOrEqual(3);
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
      },
    );
    fc.assert(property);
  });

  test('has letters that all differ', () => {
    const ascii = Array.from({ length: 95 }, (_, i) => glyphOf(String.fromCharCode(32 + i))!);
    for (const glyph of ascii) {
      expect(glyph.map((row) => row.length)).toEqual(new Array(GLYPH_HEIGHT).fill(GLYPH_WIDTH));
    }
    expect(new Set(ascii.map((glyph) => JSON.stringify(glyph))).size).toBe(95);
    expect(new Set(digits.map((digit) => JSON.stringify(digit))).size).toBe(16);
    for (const other of ['日', '\n', '\u007f', '\uFFFD']) expect(glyphOf(other)).toBeUndefined();
  });
});
