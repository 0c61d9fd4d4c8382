import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { IMAGE_ENDINGS } from '../../../src/sources/images/formats.ts';
import { UNREAD_FORMATS, unreadFormatOf } from '../../../src/sources/images/unread-formats.ts';
import { decodeBytes, plain, settingsOf } from './pictures.ts';

const text = (latin1: string): Buffer => Buffer.from(latin1.padEnd(64, '\0'), 'latin1');

describe('a format that is not read is named, with the way to convert it', () => {
  test.each([
    ['HEIC', text('\0\0\0\x18ftypheic\0\0\0\0mif1heic')],
    ['HEIC', text('\0\0\0\x18ftypmif1\0\0\0\0mif1heic')],
    ['JPEG XL', text('\xff\x0a\x3f')],
    ['JPEG XL', text('\0\0\0\x0cJXL \r\n\x87\n')],
    ['JPEG 2000', text('\0\0\0\x0cjP  \r\n\x87\n')],
    [
      'SVG (or other XML), a drawing without pixels',
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>'),
    ],
    [
      'SVG (or other XML), a drawing without pixels',
      Buffer.from('\ufeff<?xml version="1.0"?>\n<!-- by hand -->\n<svg width="8" height="8"/>'),
    ],
    ['Photoshop', text('8BPS\0\x01')],
    ['the raw format of a camera', text('II*\0\x10\0\0\0CR\x02\0')],
    ['the raw format of a camera', text('FUJIFILMCCD-RAW 0201')],
    ['Netpbm', text('P6\n2 2\n255\n')],
    ['a Windows icon', text('\0\0\x01\0\x01\0\x10\x10')],
    ['OpenEXR', text('\x76\x2f\x31\x01\x02')],
    ['PDF or PostScript', text('%PDF-1.7\n')],
    ['a web page', text('<!DOCTYPE html>\n<html>')],
    ['a film', text('\0\0\0\x18ftypisom')],
  ])('%s', async (name, bytes) => {
    const error = (await decodeBytes(bytes, settingsOf(8)).catch((caught: unknown) => caught)) as Error;
    expect(error.message).toContain(`a.png: is ${name}, which is not read. `);
    expect(error.message).not.toContain('FILE');
  });

  test('and no image that is read is taken for one', async () => {
    for (const format of ['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const) {
      const bytes = await sharp(await plain('#c84020').png().toBuffer())
        .toFormat(format)
        .toBuffer();
      await expect(decodeBytes(bytes, settingsOf(8))).resolves.toHaveLength(192);
    }
  });
});

test('AVIF may have the general brand of HEIF', async () => {
  const bytes = await plain('#c84020').avif().toBuffer();
  expect(bytes.subarray(4, 12).toString()).toBe('ftypavif');
  const wanted = await decodeBytes(bytes, settingsOf(8));
  bytes.write('mif1', 8, 'latin1');
  expect(await decodeBytes(bytes, settingsOf(8))).toEqual(wanted);
});

test.each([10, 12] as const)('AVIF of %i bits becomes 8', async (bitdepth) => {
  const bytes = await plain('#c84020').removeAlpha().heif({ compression: 'av1', bitdepth }).toBuffer();
  expect((await sharp(bytes).metadata()).depth).toBe('ushort');
  const found = await decodeBytes(bytes, settingsOf(8));
  [0xc8, 0x40, 0x20].forEach((value, channel) =>
    expect(Math.abs(found[64 * channel]! - value)).toBeLessThanOrEqual(3),
  );
});

test('endings are of one format each, and lower case', () => {
  const endings = [...IMAGE_ENDINGS, ...UNREAD_FORMATS.flatMap((format) => format.endings)];
  expect(new Set(endings).size).toBe(endings.length);
  expect(endings.filter((ending) => ending !== ending.toLowerCase() || ending.startsWith('.'))).toEqual([]);
  expect(unreadFormatOf('HEIC')?.name).toBe('HEIC');
  expect(unreadFormatOf('png')).toBeUndefined();
});
