import { deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { describe, expect, test } from 'vitest';
import { openImage } from '../../../src/sources/images/open-image.ts';
import { prepareWebp } from '../../../src/sources/images/webp.ts';
import { RectiflowError } from '../../../src/tensor/errors.ts';
import { decodeBytes, insertChunks, painted, plain, settingsOf } from './pictures.ts';

const SIDE = 24;
const settings = settingsOf(SIDE);
const noisy = painted(
  SIDE,
  SIDE,
  (row, column, channel) => (row * 7919 + column * 104_729 + channel * 31) % 251,
);

async function isRefused(bytes: Uint8Array): Promise<boolean> {
  const error = await decodeBytes(bytes, settings).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (error !== undefined) expect(error).toBeInstanceOf(RectiflowError);
  return error !== undefined;
}

/** Bytes `places` of the file, each with its lowest bit changed in a copy of its own: how many are read all the same. */
async function readDespite(whole: Buffer, places: readonly number[]): Promise<number[]> {
  const read = await Promise.all(
    places.map(async (place) => {
      const bytes = Buffer.from(whole);
      bytes[place]! ^= 1;
      return !(await isRefused(bytes));
    }),
  );
  return places.filter((_, i) => read[i]);
}

const range = (start: number, end: number): number[] =>
  Array.from({ length: end - start }, (_, i) => start + i);

test.each(['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const)(
  'a %s that was cut anywhere is refused, or all of its pixels are there',
  async (format) => {
    const whole = await noisy.clone().toFormat(format).toBuffer();
    const wanted = await decodeBytes(whole, settings);
    const step = Math.ceil(whole.length / 150);
    for (let length = 1; length < whole.length; length += step) {
      const found = await decodeBytes(whole.subarray(0, length), settings).catch((error: unknown) => error);
      if (found instanceof RectiflowError) continue;
      expect(found).toEqual(wanted);
    }
  },
);

describe('PNG', () => {
  test('any changed byte before the end of the pixels is noticed, in texts too', async () => {
    const png = await noisy.clone().png().toBuffer();
    const whole = insertChunks(png, [['tEXt', Buffer.from('Comment\0made by hand')]]);
    const all = range(0, whole.length - 12);
    expect(
      await readDespite(
        whole,
        all.filter((place) => place % 3 === 0 || place < 120),
      ),
    ).toEqual([]);
  });

  test('texts that inflate to gigabytes take no memory, and change nothing', async () => {
    const bomb = Buffer.concat([Buffer.from('Comment\0\0'), deflateSync(Buffer.alloc(5_000_000))]);
    const xmp = Buffer.concat([
      Buffer.from('XML:com.adobe.xmp\0\x01\0\0\0'),
      deflateSync(Buffer.alloc(50_000_000)),
    ]);
    const png = await noisy.clone().png().toBuffer();
    const bytes = insertChunks(png, [
      ...Array.from({ length: 30 }, () => ['zTXt', bomb] as const),
      ...Array.from({ length: 10 }, () => ['iTXt', xmp] as const),
    ]);
    const before = process.memoryUsage().rss;
    expect(await decodeBytes(bytes, settings)).toEqual(await decodeBytes(png, settings));
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });

  test('a profile that claims a gigabyte takes no memory', async () => {
    const profile = Buffer.alloc(50_000_000);
    profile.writeUInt32BE(900_000_000);
    const bytes = insertChunks(await noisy.clone().png().toBuffer(), [
      ['iCCP', Buffer.concat([Buffer.from('p\0\0'), deflateSync(profile)])],
    ]);
    const before = process.memoryUsage().rss;
    await isRefused(bytes);
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });

  test('one that ends before its last chunk, all of its pixels there, is read', async () => {
    const whole = await noisy.clone().png().toBuffer();
    expect(await isRefused(whole.subarray(0, -12))).toBe(false);
    expect(await isRefused(whole.subarray(0, -13))).toBe(true);
  });
});

describe('JPEG', () => {
  test('a byte that no encoder writes in a scan is noticed', async () => {
    const whole = await noisy.clone().jpeg().toBuffer();
    const scan = whole.indexOf(Buffer.from([0xff, 0xda]));
    const bytes = Buffer.from(whole);
    bytes.set([0xff, 0x05], scan + 60);
    await expect(decodeBytes(bytes, settings)).rejects.toThrow(
      'is truncated or damaged: there is no JPEG data at byte',
    );
  });

  test('a scan that ends too early is noticed, though the file has its end', async () => {
    for (const progressive of [false, true]) {
      const whole = await noisy.clone().jpeg({ progressive, quality: 90 }).toBuffer();
      const scan = whole.lastIndexOf(Buffer.from([0xff, 0xda]));
      const cut = Buffer.concat([whole.subarray(0, (scan + whole.length) >> 1), Buffer.from([0xff, 0xd9])]);
      await expect(decodeBytes(cut, settings)).rejects.toThrow('a.png: is truncated or damaged');
      const late = Buffer.concat([whole.subarray(0, -2), Buffer.from([0, 0, 0]), whole.subarray(-2)]);
      expect(await decodeBytes(late, settings)).toEqual(await decodeBytes(whole, settings));
    }
  });

  test('segments that some writers get wrong are harmless', async () => {
    const whole = await noisy.clone().jpeg({ mozjpeg: false }).toBuffer();
    const wanted = await decodeBytes(whole, settings);
    const selection = Buffer.from(whole);
    const scan = whole.indexOf(Buffer.from([0xff, 0xda]));
    // Start of selection, end, bits: 0, 63, 0.
    selection.set([0, 0, 0], scan + 4 + 1 + 2 * 3);
    const segment = (marker: number, text: string): Buffer => {
      const data = Buffer.from(text, 'latin1');
      return Buffer.concat([Buffer.from([0xff, marker, 0, data.length + 2]), data]);
    };
    const behindStart = (...parts: Buffer[]): Buffer =>
      Buffer.concat([whole.subarray(0, 2), ...parts, whole.subarray(2)]);
    for (const bytes of [
      selection,
      behindStart(segment(0xe0, 'JFIF\0\x07\x01\0\0\x01\0\x01\0\0')),
      behindStart(segment(0xee, 'Adobe\0\x64\0\0\0\0\x05')),
      behindStart(segment(0xe1, 'Exif\0\0 which is none')),
      behindStart(segment(0xe2, 'ICC_PROFILE\0\x01\x02 which is none')),
    ])
      expect(await decodeBytes(bytes, settings)).toEqual(wanted);
  });

  test('stray bytes before a marker, and behind the end, are harmless', async () => {
    const whole = await noisy.clone().jpeg().toBuffer();
    const tables = whole.indexOf(Buffer.from([0xff, 0xc4]));
    const stray = Buffer.concat([
      whole.subarray(0, tables),
      Buffer.from([0, 1, 2]),
      whole.subarray(tables),
      Buffer.from('end'),
    ]);
    expect(await decodeBytes(stray, settings)).toEqual(await decodeBytes(whole, settings));
  });

  test('restarts are read in their order, and no others', async () => {
    // Two grey blocks, a restart between them, each nothing but its end: codes of one bit.
    const segment = (marker: number, ...data: number[]): Buffer =>
      Buffer.from([0xff, marker, 0, data.length + 2, ...data]);
    const jpeg = (restart: number): Buffer =>
      Buffer.concat([
        Buffer.from([0xff, 0xd8]),
        segment(0xdb, 0, ...new Array<number>(64).fill(1)),
        segment(0xc0, 8, 0, 8, 0, 16, 1, 1, 0x11, 0),
        segment(0xc4, 0x00, 1, ...new Array<number>(15).fill(0), 0),
        segment(0xc4, 0x10, 1, ...new Array<number>(15).fill(0), 0),
        segment(0xdd, 0, 1),
        segment(0xda, 1, 1, 0, 0, 63, 0),
        Buffer.from([0x3f, 0xff, restart, 0x3f, 0xff, 0xd9]),
      ]);
    const size = settingsOf(1, { transforms: [{ kind: 'center-crop', size: [8, 16] }], channels: 1 });
    expect(new Set(await decodeBytes(jpeg(0xd0), size))).toEqual(new Set([128]));
    await expect(decodeBytes(jpeg(0xd3), size)).rejects.toThrow('there is no JPEG data at byte');
  });
});

describe('GIF', () => {
  test('codes that are not in the table, and too few of them, are noticed', async () => {
    const whole = await noisy.clone().gif().toBuffer();
    const codes = whole.indexOf(Buffer.from([0x2c, 0, 0, 0, 0, SIDE])) + 10;
    const read = await readDespite(
      whole,
      range(codes, whole.length - 2).filter((place) => place % 5 === 0),
    );
    // Most changes make other pixels of the same number, which no decoder can know.
    expect(read.length).toBeLessThan((whole.length - codes) / 5);
    const bytes = Buffer.from(whole);
    const blocks = codes + 1 + (whole[codes - 1]! & 0x80 ? 3 * (2 << (whole[codes - 1]! & 7)) : 0);
    bytes[blocks] = 0;
    await expect(decodeBytes(bytes, settings)).rejects.toThrow(/its first image has 0 of 576 pixels/);
  });
});

describe('of several images the first is read, and that there are more is known', () => {
  const twice = async (): Promise<Sharp> => {
    const pixels = await painted(16, 8, (row) => (row < 8 ? 255 : 0))
      .raw()
      .toBuffer();
    return sharp(pixels, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } });
  };
  const hasMore = async (bytes: Uint8Array): Promise<boolean> =>
    (await openImage(bytes, 'a.png', 1e6)).hasMore;

  test('GIF and WebP', async () => {
    const { delay } = { delay: [100, 100] };
    for (const bytes of [
      await (await twice()).gif({ delay }).toBuffer(),
      await (await twice()).webp({ delay, lossless: true }).toBuffer(),
    ]) {
      expect(await hasMore(bytes)).toBe(true);
      expect(new Set(await decodeBytes(bytes, settingsOf(8)))).toEqual(new Set([255]));
    }
    expect(await hasMore(await plain('#fff').gif().toBuffer())).toBe(false);
    expect(await hasMore(await plain('#fff').webp().toBuffer())).toBe(false);
  });

  test('PNG', async () => {
    const png = await plain('#fff').png().toBuffer();
    expect(await hasMore(png)).toBe(false);
    expect(await hasMore(insertChunks(png, [['acTL', Buffer.from([0, 0, 0, 2, 0, 0, 0, 0])]]))).toBe(true);
  });

  test('WebP whose chunk of odd length is followed by a byte that is no chunk', async () => {
    const whole = await (await twice()).webp({ delay: [100, 100], lossless: true }).toBuffer();
    const first = whole.indexOf('ANMF');
    const odd = Buffer.from('ABCD\x01\0\0\0x\0', 'latin1');
    const bytes = Buffer.concat([whole.subarray(0, first), odd, whole.subarray(first)]);
    bytes.writeUInt32LE(bytes.length - 8, 4);
    const prepared = prepareWebp(bytes, 'a.webp');
    expect(prepared.hasMore).toBe(true);
    expect(prepared.bytes.length).toBe(first + odd.length + 8 + whole.readUInt32LE(first + 4));
  });

  test('WebP of a hundred thousand frames takes no longer than one', async () => {
    const whole = await (await twice()).webp({ delay: [100, 100], lossless: true }).toBuffer();
    const first = whole.indexOf('ANMF');
    const frame = whole.subarray(first, first + 8 + whole.readUInt32LE(first + 4));
    const bytes = Buffer.concat([whole.subarray(0, first), ...new Array<Buffer>(100_000).fill(frame)]);
    bytes.writeUInt32LE(bytes.length - 8, 4);
    expect(await decodeBytes(bytes, settingsOf(8))).toEqual(await decodeBytes(whole, settingsOf(8)));
  });
});

test('chunks that are none are refused', async () => {
  const png = await noisy.clone().png().toBuffer();
  await expect(decodeBytes(insertChunks(png, [['a b!', Buffer.of(1)]]), settings)).rejects.toThrow(
    'is truncated or damaged: there is no chunk at byte 33',
  );
});
