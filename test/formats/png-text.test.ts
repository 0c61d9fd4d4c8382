import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { pngText, withPngText } from '../../src/formats/png-text.ts';

const pixels = Uint8Array.from({ length: 5 * 4 * 3 }, (_, i) => (i * 37) % 256);
const raw = { width: 5, height: 4, channels: 3 } as const;

describe('a text in a PNG', () => {
  it('is read back, and leaves the pixels as they are', async () => {
    const png = await sharp(pixels, { raw }).png().toBuffer();
    const json = JSON.stringify({ run: 'Zeichen "ä" 漢字 \u202e', step: 12 });
    const told = withPngText(png, 'rectiflow', json);
    expect(JSON.parse(pngText(told, 'rectiflow')!)).toEqual(JSON.parse(json));
    expect(pngText(png, 'rectiflow')).toBeUndefined();
    expect(pngText(told, 'other')).toBeUndefined();
    // A checksum that is wrong is an error.
    const decoded = await sharp(told, { failOn: 'warning' }).raw().toBuffer();
    expect(Uint8Array.from(decoded)).toEqual(pixels);
  });
});
