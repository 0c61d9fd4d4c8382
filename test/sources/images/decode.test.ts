import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { decodeImage } from '../../../src/sources/images/decode.ts';
import { RectiflowError } from '../../../src/tensor/errors.ts';
import { philoxUniform } from '../../../src/tensor/philox.ts';
import { decodeBytes, painted, plain, pngChunk, settingsOf } from './pictures.ts';

const GREY = { channels: 1 } as const;

/** The first value of each plane. */
async function colourOf(bytes: Uint8Array, more = {}): Promise<number[]> {
  const values = await decodeBytes(bytes, settingsOf(8, more));
  return values.filter((_, i) => i % 64 === 0);
}

function checkNear(found: readonly number[], wanted: readonly number[], tolerance: number): void {
  expect(found).toHaveLength(wanted.length);
  found.forEach((value, i) => expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(tolerance));
}

describe('formats', () => {
  test.each([
    ['jpeg', 3],
    ['png', 0],
    ['webp', 3],
    ['avif', 3],
    ['gif', 0],
    ['tiff', 3],
  ] as const)('%s has the colour that was written', async (format, tolerance) => {
    const bytes = await plain('#c84020').removeAlpha().toFormat(format).toBuffer();
    checkNear(await colourOf(bytes), [0xc8, 0x40, 0x20], tolerance);
  });

  test('values are planes in [-1, 1], written from the offset on', async () => {
    const bytes = await painted(2, 2, (row, column, channel) => 100 * row + 50 * column + channel)
      .png()
      .toBuffer();
    const out = new Float32Array(14).fill(9);
    const settings = settingsOf(2);
    await decodeImage({ bytes, origin: 'a', settings, key: { seed: 0, epoch: 0 }, index: 0 }, out, 1);
    const wanted = [0, 50, 100, 150, 1, 51, 101, 151, 2, 52, 102, 152].map((byte) => byte / 127.5 - 1);
    expect([...out]).toEqual([9, ...new Float32Array(wanted), 9]);
  });

  test('of an animation the first frame is read', async () => {
    const frames = painted(16, 8, (row) => (row < 8 ? 255 : 0));
    const raw = await frames.raw().toBuffer();
    const animated = await sharp(raw, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } })
      .gif({ delay: [100, 100] })
      .toBuffer();
    expect((await sharp(animated).metadata()).pages).toBe(2);
    expect(await colourOf(animated)).toEqual([255, 255, 255]);
  });

  test('16 bits become 8, in colour and in grey', async () => {
    const raw = Uint16Array.from({ length: 192 }, (_, i) => [0xffff, 0x4040, 0x8080][i % 3]!);
    const colour = await sharp(raw, { raw: { width: 8, height: 8, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    expect((await sharp(colour).metadata()).depth).toBe('ushort');
    expect(await colourOf(colour)).toEqual([0xff, 0x40, 0x80]);
    const grey = await sharp(new Uint16Array(64).fill(0x4040), { raw: { width: 8, height: 8, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toBuffer();
    expect((await sharp(grey).metadata()).depth).toBe('ushort');
    expect(await colourOf(grey)).toEqual([0x40, 0x40, 0x40]);
    expect(await colourOf(grey, GREY)).toEqual([0x40]);
  });

  test('grey is told from RGB by the settings, not by the file', async () => {
    const grey = await plain('#c8c8c8').removeAlpha().toColourspace('b-w').png().toBuffer();
    expect(await colourOf(grey)).toEqual([200, 200, 200]);
    expect(await colourOf(grey, GREY)).toEqual([200]);
    const green = await plain('#00ff00').png().toBuffer();
    const red = await plain('#ff0000').png().toBuffer();
    expect((await colourOf(green, GREY))[0]).toBeGreaterThan((await colourOf(red, GREY))[0]!);
  });

  test('CMYK becomes RGB', async () => {
    const bytes = await plain('#ff0000').removeAlpha().toColourspace('cmyk').jpeg().toBuffer();
    expect((await sharp(bytes).metadata()).space).toBe('cmyk');
    checkNear(await colourOf(bytes), [0xf0, 0x10, 0x10], 32);
  });

  test("the file's colour profile is applied", async () => {
    const bytes = await plain('#fa6432').removeAlpha().withIccProfile('p3').png().toBuffer();
    checkNear(await colourOf(bytes), [0xfa, 0x64, 0x32], 1);
  });
});

describe('transparency', () => {
  test('shows the background', async () => {
    const bytes = await plain({ r: 0, g: 0, b: 0, alpha: 0.5 }).png().toBuffer();
    checkNear(await colourOf(bytes, { background: '#ff8000' }), [128, 64, 0], 1);
  });

  test('of a grey image shows a background with a colour', async () => {
    const bytes = await plain({ r: 200, g: 200, b: 200, alpha: 0 }).toColourspace('b-w').png().toBuffer();
    expect((await sharp(bytes).metadata()).space).toBe('b-w');
    expect(await colourOf(bytes, { background: '#ff8000' })).toEqual([255, 128, 0]);
    const [grey] = await colourOf(bytes, { background: '#ff0000', ...GREY });
    expect(grey).toBe((await colourOf(await plain('#ff0000').png().toBuffer(), GREY))[0]);
  });

  test('leaves no dark rim when the image is resized', async () => {
    // Black where nothing is to be seen: resizing before compositing would let it through.
    const pixels = Uint8Array.from({ length: 16 * 16 * 4 }, (_, i) => {
      const isVisible = Math.floor(i / 4) % 16 < 7;
      return isVisible ? 255 : 0;
    });
    const bytes = await sharp(pixels, { raw: { width: 16, height: 16, channels: 4 } })
      .png()
      .toBuffer();
    const values = await decodeBytes(
      bytes,
      settingsOf(4, { transforms: [{ kind: 'resize', size: [4, 4] }] }),
    );
    expect(Math.min(...values)).toBeGreaterThanOrEqual(254);
  });
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])('EXIF orientation %i is applied, before crops', async (orientation) => {
  const upright = [10, 20, 30, 40, 50, 60];
  const settings = settingsOf(2, { ...GREY, transforms: [{ kind: 'center-crop', size: [2, 3] }] });
  const at = (row: number, column: number): number => upright[row * 3 + column]!;
  // Where the stored image has what the upright one has at (row, column), by TIFF 6.0's table of orientations.
  const stored = [
    painted(2, 3, (row, column) => at(row, column)),
    painted(2, 3, (row, column) => at(row, 2 - column)),
    painted(2, 3, (row, column) => at(1 - row, 2 - column)),
    painted(2, 3, (row, column) => at(1 - row, column)),
    painted(3, 2, (row, column) => at(column, row)),
    painted(3, 2, (row, column) => at(column, 2 - row)),
    painted(3, 2, (row, column) => at(1 - column, 2 - row)),
    painted(3, 2, (row, column) => at(1 - column, row)),
  ][orientation - 1]!;
  const bytes = await stored.withMetadata({ orientation }).png().toBuffer();
  expect((await sharp(bytes).metadata()).orientation).toBe(orientation);
  expect(await decodeBytes(bytes, settings)).toEqual(upright);
  const corner = {
    ...settings,
    transforms: [...settings.transforms, { kind: 'center-crop', size: [1, 1] } as const],
  };
  expect(await decodeBytes(bytes, corner)).toEqual([20]);
});

describe('refused, by name', () => {
  const noisy = painted(
    64,
    64,
    (row, column, channel) => (row * 7919 + column * 104729 + channel * 31) % 251,
  );
  const settings = settingsOf(8);

  async function problemOf(bytes: Uint8Array, more = {}): Promise<string> {
    const error = await decodeBytes(bytes, { ...settings, ...more }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RectiflowError);
    expect((error as RectiflowError).message).toMatch(/^a\.png: /);
    return (error as RectiflowError).message;
  }

  test('an empty file', async () => {
    expect(await problemOf(new Uint8Array(0))).toContain('is empty (0 bytes)');
  });

  test('text, and a drawing', async () => {
    const text = await problemOf(Buffer.from('hello, this is text\n'));
    expect(text).toContain(
      'is no JPEG, PNG, WebP, AVIF, TIFF, GIF or BMP image: it starts with "hello, this is t"',
    );
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>');
    expect(await problemOf(svg)).toContain(
      'is SVG (or other XML), a drawing without pixels, which is not read',
    );
  });

  test.each(['jpeg', 'png', 'webp', 'avif', 'gif'] as const)('a truncated %s', async (format) => {
    const bytes = await noisy.clone().toFormat(format).toBuffer();
    for (const length of [bytes.length >> 1, bytes.length - 60, 30]) {
      const problem = await problemOf(bytes.subarray(0, length), {
        transforms: [{ kind: 'resize', size: [8, 8] }],
      });
      expect(problem).toMatch(/is truncated or damaged: .+\. Fetch it again, or remove it\.$/);
      expect(problem).not.toContain('\n');
    }
  });

  test.each(['jpeg', 'png', 'webp', 'avif', 'gif'] as const)(
    'a %s whose bytes were changed, or it is read',
    async (format) => {
      const whole = await noisy.clone().toFormat(format).toBuffer();
      const read = async (attempt: number): Promise<unknown> => {
        const bytes = Buffer.from(whole);
        const places = philoxUniform({
          seed: attempt,
          stream: 0,
          step: 0,
          firstSample: 0,
          samples: 1,
          elements: 8,
        });
        for (const place of places) bytes[Math.floor(place * bytes.length)]! ^= 1 << (attempt % 8);
        return decodeBytes(bytes, settings).catch((error: unknown) => error);
      };
      const results = await Promise.all(Array.from({ length: 60 }, (_, attempt) => read(attempt)));
      for (const result of results) {
        if (Array.isArray(result)) expect(result).toHaveLength(192);
        else expect(result).toBeInstanceOf(RectiflowError);
      }
    },
  );

  test('400 megapixels, by the header alone', async () => {
    const bytes = blackPng(20_000);
    const before = process.memoryUsage().rss;
    const problem = await problemOf(bytes, { maxPixels: 50_000_000 });
    expect(problem).toContain(
      'has 20000x20000 (height x width) = 400000000 pixels, more than data.maxPixels = 50000000',
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(50e6);
  });

  test('a crop of a smaller image', async () => {
    const problem = await problemOf(await plain('#000', 8, 4).png().toBuffer());
    expect(problem).toContain(
      'is 8x4 where the center-crop takes 8x8 (height x width). Put a resize to 8 before',
    );
  });

  test('a strip that resizing makes enormous', async () => {
    const bytes = await plain('#000', 1, 900).png().toBuffer();
    const transforms = [{ kind: 'resize', size: 64 } as const, { kind: 'center-crop', size: 64 } as const];
    const problem = await problemOf(bytes, { transforms });
    expect(problem).toContain('resized to 64x57600 has more pixels than data.maxPixels = 1000000');
  });
});

/** A square PNG of one bit per pixel, which takes little memory to make, however large it is. */
function blackPng(side: number): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header[8] = 1;
  const rows = deflateSync(Buffer.alloc(side * (1 + Math.ceil(side / 8))), { level: 1 });
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    pngChunk('IHDR', header),
    pngChunk('IDAT', rows),
    pngChunk('IEND', new Uint8Array(0)),
  ]);
}
