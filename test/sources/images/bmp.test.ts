import { describe, expect, test } from 'vitest';
import { RectiflowError } from '../../../src/tensor/errors.ts';
import { decodeBytes, settingsOf } from './pictures.ts';

interface Bmp {
  readonly width?: number;
  readonly height?: number;
  readonly bits: number;
  readonly compression?: number;
  readonly headerBytes?: 12 | 40 | 64 | 108 | 124;
  /** Red, green, blue, alpha; behind a header of 40 bytes, in one of 108. */
  readonly masks?: readonly number[];
  /** [red, green, blue] each. */
  readonly palette?: readonly (readonly number[])[];
  /** As they are stored. */
  readonly pixels: readonly number[];
}

function encodeBmp({
  width = 2,
  height = 2,
  bits,
  compression = 0,
  headerBytes = 40,
  masks = [],
  palette = [],
  pixels,
}: Bmp): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(headerBytes, 0);
  if (headerBytes === 12) {
    header.writeUInt16LE(width, 4);
    header.writeUInt16LE(height, 6);
    header.writeUInt16LE(1, 8);
    header.writeUInt16LE(bits, 10);
  } else {
    header.writeInt32LE(width, 4);
    header.writeInt32LE(height, 8);
    header.writeUInt16LE(1, 12);
    header.writeUInt16LE(bits, 14);
    header.writeUInt32LE(compression, 16);
    header.writeUInt32LE(palette.length, 32);
  }
  const behind = headerBytes === 40 ? Buffer.alloc(4 * masks.length) : header.subarray(40);
  masks.forEach((mask, i) => behind.writeUInt32LE(mask >>> 0, 4 * i));
  const colours = palette.flatMap(([red, green, blue]) => [
    blue!,
    green!,
    red!,
    ...(headerBytes === 12 ? [] : [0]),
  ]);
  const parts = [
    header,
    headerBytes === 40 ? behind : Buffer.alloc(0),
    Buffer.from(colours),
    Buffer.from(pixels),
  ];
  const body = Buffer.concat(parts);
  const start = Buffer.alloc(14);
  start.write('BM', 'latin1');
  start.writeUInt32LE(14 + body.length, 2);
  start.writeUInt32LE(14 + body.length - pixels.length, 10);
  return Buffer.concat([start, body]);
}

const settings = settingsOf(2);
const read = (bmp: Bmp, more = {}): Promise<number[]> =>
  decodeBytes(encodeBmp(bmp), { ...settings, ...more });

/** Planes of two rows of two pixels: red and green above blue and white. */
const FOUR = [255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255];
const RED = [255, 0, 0];
const GREEN = [0, 255, 0];
const BLUE = [0, 0, 255];
const WHITE = [255, 255, 255];
const PALETTE = [RED, GREEN, BLUE, WHITE];

describe('the lowest row comes first, each on a multiple of four bytes', () => {
  test.each<readonly [string, Bmp]>([
    ['1 bit', { bits: 1, palette: [BLUE, WHITE], pixels: [0b0100_0000, 0, 0, 0, 0b0100_0000, 0, 0, 0] }],
    ['2 bits', { bits: 2, palette: PALETTE, pixels: [0b1011_0000, 0, 0, 0, 0b0001_0000, 0, 0, 0] }],
    ['4 bits', { bits: 4, palette: PALETTE, pixels: [0x23, 0, 0, 0, 0x01, 0, 0, 0] }],
    ['8 bits', { bits: 8, palette: PALETTE, pixels: [2, 3, 0, 0, 0, 1, 0, 0] }],
    ['8 bits of OS/2', { bits: 8, headerBytes: 12, palette: PALETTE, pixels: [2, 3, 0, 0, 0, 1, 0, 0] }],
    ['16 bits', { bits: 16, pixels: [0x1f, 0, 0xff, 0x7f, 0, 0x7c, 0xe0, 0x03] }],
    [
      '16 bits with masks',
      {
        bits: 16,
        compression: 3,
        masks: [0xf800, 0x07e0, 0x001f],
        pixels: [0x1f, 0, 0xff, 0xff, 0, 0xf8, 0xe0, 0x07],
      },
    ],
    ['24 bits', { bits: 24, pixels: [255, 0, 0, 255, 255, 255, 0, 0, 0, 0, 255, 0, 255, 0, 0, 0] }],
    [
      '24 bits, the uppermost row first',
      { bits: 24, height: -2, pixels: [0, 0, 255, 0, 255, 0, 0, 0, 255, 0, 0, 255, 255, 255, 0, 0] },
    ],
    [
      '32 bits, whose fourth byte means nothing',
      { bits: 32, pixels: [255, 0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 0, 0, 255, 0, 0] },
    ],
    [
      '32 bits with masks',
      {
        bits: 32,
        compression: 3,
        masks: [0xff, 0xff00, 0xff0000],
        pixels: [0, 0, 255, 0, 255, 255, 255, 0, 255, 0, 0, 0, 0, 255, 0, 0],
      },
    ],
    [
      '32 bits with a mask for transparency that makes all invisible',
      {
        bits: 32,
        compression: 3,
        headerBytes: 108,
        masks: [0xff0000, 0xff00, 0xff, 0xff000000],
        pixels: [255, 0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 0, 0, 255, 0, 0],
      },
    ],
    [
      'runs of bytes',
      { bits: 8, compression: 1, palette: PALETTE, pixels: [1, 2, 1, 3, 0, 0, 1, 0, 1, 1, 0, 1] },
    ],
    [
      'runs of bytes, plain ones and jumps',
      {
        bits: 8,
        compression: 1,
        palette: PALETTE,
        pixels: [0, 2, 0, 0, 1, 2, 1, 3, 0, 2, 0, 0, 0, 0, 0, 2, 1, 0, 1, 1, 0, 0, 0, 1],
      },
    ],
    [
      'runs of halves of bytes',
      { bits: 4, compression: 2, palette: PALETTE, pixels: [2, 0x23, 0, 0, 2, 0x01, 0, 0, 0, 1] },
    ],
  ])('%s', async (name, bmp) => {
    const one = name === '1 bit' ? [0, 255, 0, 255, 0, 255, 0, 255, 255, 255, 255, 255] : FOUR;
    expect(await read(bmp)).toEqual(one);
  });

  test('plain pixels among runs end on an even byte', async () => {
    const runs = [0, 3, 1, 2, 3, 0, 0, 0, 0, 3, 0, 1, 2, 0, 0, 1];
    const bmp = { width: 3, bits: 8, compression: 1, palette: PALETTE, pixels: runs };
    const found = await read(bmp, { transforms: [{ kind: 'center-crop', size: [2, 3] }] });
    expect(found.slice(0, 6)).toEqual([255, 0, 0, 0, 0, 255]);
  });
});

test('transparency shows the background', async () => {
  const masks = [0xff0000, 0xff00, 0xff, 0xff000000];
  const pixels = [0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 128, 0, 0, 0, 255];
  const found = await read(
    { bits: 32, compression: 3, headerBytes: 124, masks, pixels },
    { background: '#ff8000' },
  );
  expect(found.slice(0, 4)).toEqual([127, 0, 255, 0]);
  expect(found.slice(4, 8)).toEqual([63, 0, 128, 0]);
});

test('a grey palette stays as it is in grey', async () => {
  const palette = Array.from({ length: 256 }, (_, i) => [i, i, i]);
  const bmp = { bits: 8, palette, pixels: [10, 100, 0, 0, 200, 255, 0, 0] };
  expect(await read(bmp, { channels: 1 })).toEqual([200, 255, 10, 100]);
});

describe('refused, by name', () => {
  const whole = { bits: 24, pixels: new Array<number>(16).fill(9) };

  test.each<readonly [string, Buffer, string]>([
    ['cut inside its header', encodeBmp(whole).subarray(0, 30), 'it ends inside its header'],
    ['cut inside its pixels', encodeBmp(whole).subarray(0, -1), 'it has 15 of 16 bytes of pixels'],
    [
      'a colour that is not in the palette',
      encodeBmp({ bits: 8, palette: PALETTE, pixels: [2, 4, 0, 0, 0, 1, 0, 0] }),
      'a pixel has colour 4 of a palette of 4',
    ],
    [
      'runs that end too early',
      encodeBmp({ bits: 8, compression: 1, palette: PALETTE, pixels: [2, 1, 0, 0, 0, 1] }),
      'its runs end in row 1 of 2',
    ],
    [
      'runs that are longer than a row',
      encodeBmp({ bits: 8, compression: 1, palette: PALETTE, pixels: [9, 1, 0, 1] }),
      'its runs end in row 0 of 2',
    ],
    [
      'JPEG inside',
      encodeBmp({ bits: 0, compression: 4, pixels: [] }),
      'is BMP of 0 bits with compression 4, which is not read',
    ],
    [
      'what 3 means in the second header of OS/2',
      encodeBmp({ bits: 16, compression: 3, headerBytes: 64, pixels: [0, 0, 0, 0, 0, 0, 0, 0] }),
      'is BMP of 16 bits with compression 3, which is not read',
    ],
    [
      'runs of another depth',
      encodeBmp({ bits: 24, compression: 1, pixels: [] }),
      'is BMP of 24 bits with compression 1, which is not read',
    ],
    [
      'a palette of more colours than there are numbers',
      encodeBmp({ bits: 1, palette: [RED, GREEN, BLUE], pixels: [0, 0, 0, 0, 0, 0, 0, 0] }),
      'its palette has 3 colours, where pixels of 1 bits tell 2',
    ],
    ['no width', encodeBmp({ ...whole, width: 0 }), 'its size is 2x0'],
    [
      '400 megapixels',
      encodeBmp({ ...whole, width: 20_000, height: 20_000 }),
      'more than data.maxPixels = 1000000',
    ],
    [
      'sides of two thousand millions',
      encodeBmp({ ...whole, width: 2 ** 31 - 1, height: -(2 ** 31) }),
      'more than data.maxPixels = 1000000',
    ],
  ])('%s', async (_, bytes, problem) => {
    const error = await decodeBytes(bytes, settings).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RectiflowError);
    expect((error as Error).message).toContain(problem);
  });
});
