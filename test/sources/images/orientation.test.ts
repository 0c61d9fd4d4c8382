import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readHeader } from '../../../src/sources/images/open-image.ts';
import { decodeBytes, insertChunks, painted, settingsOf } from './pictures.ts';
import { bytesField, encodeTiff } from './tiff.ts';

const UPRIGHT = [10, 20, 30, 40, 50, 60];
const settings = settingsOf(2, {
  channels: 1,
  transforms: [{ kind: 'center-crop', size: [2, 3] }],
});
/** Upright, as it is stored where the orientation is 6 (rows from the right) or 3 (from the bottom). */
const SIDEWAYS = (row: number, column: number): number => UPRIGHT[column * 3 + (2 - row)]!;
const DOWN = (row: number, column: number): number => UPRIGHT[(1 - row) * 3 + (2 - column)]!;

const xmp = (orientation: number): string =>
  `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description ` +
  `xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="${orientation}"/></rdf:RDF></x:xmpmeta>`;
/** A block of EXIF that says nothing but an orientation. */
const exif = (orientation: number): Buffer =>
  Buffer.from([
    ...Buffer.from('MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01', 'latin1'),
    0,
    orientation,
    0,
    0,
    0,
    0,
    0,
    0,
  ]);

async function png(
  value: (row: number, column: number) => number,
  ...chunks: (readonly [string, Uint8Array])[]
): Promise<Buffer> {
  return insertChunks(await painted(3, 2, value).toColourspace('b-w').png().toBuffer(), chunks);
}

describe('PNG', () => {
  const raw = (block: Buffer): string =>
    `\nexif\n${String(block.length).padStart(8)}\n${block.toString('hex')}\n`;

  test.each([
    ['eXIf', ['eXIf', exif(6)]],
    ['XMP', ['iTXt', Buffer.from(`XML:com.adobe.xmp\0\0\0\0\0${xmp(6)}`, 'latin1')]],
    [
      'deflated XMP',
      ['iTXt', Buffer.concat([Buffer.from('XML:com.adobe.xmp\0\x01\0\0\0'), deflateSync(xmp(6))])],
    ],
    ["ImageMagick's text", ['tEXt', Buffer.from(`Raw profile type exif\0${raw(exif(6))}`)]],
    [
      "ImageMagick's deflated text",
      [
        'zTXt',
        Buffer.concat([
          Buffer.from('Raw profile type APP1\0\0'),
          deflateSync(raw(Buffer.concat([Buffer.from('Exif\0\0'), exif(6)]))),
        ]),
      ],
    ],
  ] as const)('%s turns it upright', async (_, chunk) => {
    const bytes = await png(SIDEWAYS, chunk);
    expect(await decodeBytes(bytes, settings)).toEqual(UPRIGHT);
    expect(await readHeader(bytes)).toEqual({ height: 2, width: 3 });
  });

  test('EXIF in a text that says 9 says nothing', async () => {
    const upright = { ...settings, transforms: [{ kind: 'center-crop', size: [3, 2] } as const] };
    const chunk = ['tEXt', Buffer.from(`Raw profile type exif\0${raw(exif(9))}`)] as const;
    const bytes = await png((row, column) => UPRIGHT[row * 2 + column]!, chunk);
    expect(await decodeBytes(bytes, upright)).toEqual(UPRIGHT);
  });

  test('EXIF counts before XMP', async () => {
    const stated = [
      ['eXIf', exif(6)],
      ['iTXt', Buffer.from(`XML:com.adobe.xmp\0\0\0\0\0${xmp(1)}`)],
    ] as const;
    expect(await decodeBytes(await png(SIDEWAYS, ...stated), settings)).toEqual(UPRIGHT);
  });
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'XMP orientation %i is applied as EXIF is, before crops',
  async (orientation) => {
    const stored = {
      height: 3,
      width: 2,
      value: (row: number, column: number) => 10 + 100 * row + 40 * column,
    };
    const told = encodeTiff({ ...stored, fields: [bytesField(700, xmp(orientation))] });
    const wanted = encodeTiff({ ...stored, fields: [[274, 3, [orientation]]] });
    const size = settingsOf(2, {
      transforms: [
        { kind: 'resize', size: [4, 4] },
        { kind: 'center-crop', size: [3, 2] },
      ],
    });
    expect(await decodeBytes(told, size)).toEqual(await decodeBytes(wanted, size));
  },
);

test.each(['jpeg', 'webp', 'avif', 'tiff'] as const)('EXIF in %s turns it upright', async (format) => {
  const stored = painted(96, 64, (row, column) => SIDEWAYS(row >> 5, column >> 5));
  const bytes = await stored.withMetadata({ orientation: 6 }).toFormat(format, { quality: 100 }).toBuffer();
  const large = { ...settings, transforms: [{ kind: 'resize', size: [2, 3] } as const] };
  const found = await decodeBytes(bytes, large);
  found.forEach((value, i) => expect(Math.abs(value - UPRIGHT[i]!)).toBeLessThan(4));
});

test.each(['jpeg', 'webp'] as const)('XMP in %s turns it upright', async (format) => {
  // Lossy: larger than a block of pixels of one value.
  const stored = painted(96, 64, (row, column) => SIDEWAYS(row >> 5, column >> 5));
  const bytes = await stored.withXmp(xmp(6)).toFormat(format, { quality: 100 }).toBuffer();
  const large = { ...settings, transforms: [{ kind: 'resize', size: [2, 3] } as const] };
  const found = await decodeBytes(bytes, large);
  found.forEach((value, i) => expect(Math.abs(value - UPRIGHT[i]!)).toBeLessThan(4));
  if (format === 'jpeg') expect(await readHeader(bytes)).toEqual({ height: 64, width: 96 });
});

test('TIFF heeds its own field, and XMP where there is none', async () => {
  const size = { height: 3, width: 2 };
  const field = encodeTiff({ ...size, fields: [[274, 3, [6]]], value: SIDEWAYS });
  expect(await decodeBytes(field, settings)).toEqual(UPRIGHT);
  const text = encodeTiff({ ...size, fields: [bytesField(700, xmp(6))], value: SIDEWAYS });
  expect(await decodeBytes(text, settings)).toEqual(UPRIGHT);
  const down = encodeTiff({ height: 2, width: 3, fields: [bytesField(700, xmp(3))], value: DOWN });
  expect(await decodeBytes(down, settings)).toEqual(UPRIGHT);
});

test.each([0, 9])('a field of TIFF that says %i is damage', async (number) => {
  const bytes = encodeTiff({ height: 2, width: 3, fields: [[274, 3, [number]]], value: () => 0 });
  await expect(decodeBytes(bytes, settings)).rejects.toThrow(`Bad value ${number} for "Orientation" tag`);
});

test('an orientation that there is not is none', async () => {
  const bytes = await png(
    (row, column) => UPRIGHT[row * 2 + column]!,
    ['iTXt', Buffer.from(`XML:com.adobe.xmp\0\0\0\0\0${xmp(9)}`)],
  );
  expect(
    await decodeBytes(bytes, { ...settings, transforms: [{ kind: 'center-crop', size: [3, 2] }] }),
  ).toEqual(UPRIGHT);
});
