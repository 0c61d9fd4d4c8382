import { describe, expect, test } from 'vitest';
import { RectiflowError } from '../../../src/tensor/errors.ts';
import { decodeBytes, settingsOf } from './pictures.ts';
import { type TiffOptions, encodeTiff } from './tiff.ts';

/** From black to white in four steps, at the least and the most that so many bits hold. */
const STEPS = [0, 85, 170, 255];
const ramp =
  (bits: number) =>
  (_: number, column: number): number =>
    Math.round(((2 ** bits - 1) * column) / 3);
/** Red goes up, green is full, blue is none, transparency is half. */
const colours =
  (bits: number) =>
  (row: number, column: number, sample: number): number =>
    [ramp(bits)(row, column), 2 ** bits - 1, 0, 2 ** (bits - 1), 0][sample]!;

async function read(options: Omit<TiffOptions, 'height' | 'width'>): Promise<number[]> {
  return decodeBytes(encodeTiff({ height: 1, width: 4, ...options }), settings);
}
const settings = settingsOf(1, { transforms: [{ kind: 'center-crop', size: [1, 4] }] });
const GREY = [...STEPS, ...STEPS, ...STEPS];
const REDS = [...STEPS, 255, 255, 255, 255, 0, 0, 0, 0];

describe('whole numbers without sign have their black and white', () => {
  test.each([2, 4, 8, 16])('grey of %i bits', async (bits) => {
    expect(await read({ bits, value: ramp(bits) })).toEqual(GREY);
    const white = await read({ bits, photometric: 0, value: ramp(bits) });
    expect(white).toEqual(GREY.map((value) => 255 - value));
  });

  test('grey of 1 bit', async () => {
    expect(await read({ bits: 1, value: (_, column) => column & 1 })).toEqual([
      0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255,
    ]);
  });

  test.each([8, 16])(
    'RGB of %i bits, interleaved, planar, in tiles, in either order of bytes',
    async (bits) => {
      const rgb = { bits, samples: 3, value: colours(bits) };
      for (const more of [{}, { planar: true }, { tile: 16 }, { bigEndian: true }]) {
        expect(await read({ ...rgb, ...more })).toEqual(REDS);
      }
    },
  );

  test('a palette', async () => {
    const map = [...STEPS.map((value) => value * 257), 65_535, 65_535, 65_535, 65_535, 0, 0, 0, 0];
    const palette = { bits: 2, photometric: 3, fields: [[320, 3, map]] } as const;
    expect(await read({ ...palette, value: (_, column) => column })).toEqual(REDS);
  });

  test('a channel whose meaning is not said is no transparency', async () => {
    const rgbx = { samples: 4, fields: [[338, 3, [0]]], value: colours(8) } as const;
    expect(await read(rgbx)).toEqual(REDS);
    const transparent = await read({ ...rgbx, fields: [[338, 3, [2]]] });
    expect(transparent.slice(0, 4)).toEqual([127, 169, 212, 255]);
  });

  test('of several pages the first is read, however many there are', async () => {
    expect(await read({ pages: 3, value: ramp(8) })).toEqual(GREY);
    const pages = encodeTiff({ height: 1, width: 4, value: ramp(8), pages: 2 });
    const loop = Buffer.from(pages);
    // The second directory leads back to the first.
    const second = loop.readUInt32LE(8 + 2 + 12 * loop.readUInt16LE(8));
    loop.writeUInt32LE(8, second + 2 + 12 * loop.readUInt16LE(second));
    expect(await decodeBytes(loop, settings)).toEqual(GREY);
  });
});

describe('refused, with what they are', () => {
  const seen: Omit<TiffOptions, 'height' | 'width'> = { value: () => 1 };
  test.each([
    ['floats from 0 to 1', { bits: 32, format: 3 }, 'samples that are floats of 32 bits'],
    ['floats of RGB', { bits: 32, format: 3, samples: 3 }, 'samples that are floats of 32 bits'],
    ['floats of 64 bits', { bits: 64, format: 3 }, 'samples that are floats of 64 bits'],
    ['signed bytes', { bits: 8, format: 2 }, 'samples that are signed whole numbers of 8 bits'],
    ['signed, 16 bits', { bits: 16, format: 2 }, 'samples that are signed whole numbers of 16 bits'],
    ['signed, 32 bits', { bits: 32, format: 2 }, 'samples that are signed whole numbers of 32 bits'],
    ['complex', { bits: 32, format: 6 }, 'samples that are complex numbers of 32 bits'],
    ['32 bits', { bits: 32 }, 'has 32 bits in each of 1 channels'],
    ['RGB of 32 bits', { bits: 32, samples: 3 }, 'has 32 bits in each of 3 channels'],
    ['12 bits', { bits: 12 }, 'has 12 bits in each of 1 channels'],
    ['RGB of 4 bits', { bits: 4, samples: 3 }, 'has 4 bits in each of 3 channels'],
    ['CIELab of 8 bits', { samples: 3, photometric: 8 }, 'has CIELab of 8 bits for colours'],
    ['ICC Lab', { samples: 3, photometric: 9 }, 'has ICC Lab for colours'],
    ['the mosaic of a camera', { bits: 16, photometric: 32_803 }, 'has the mosaic of a camera for colours'],
    ['DNG', { samples: 3, fields: [[50_706, 1, [1, 4, 0, 0]]] }, 'is DNG, the raw format of a camera'],
    ['a palette that is not there', { bits: 4, photometric: 3 }, 'its palette has 0 of 16 colours'],
    ['two more channels', { samples: 5, fields: [[338, 3, [0, 0]]] }, 'has 2 channels beside its colours'],
    ['tiles of one plane', { planar: true, tile: 16 }, 'has tiles of a plane for each channel'],
    ['tiles of planes', { samples: 3, planar: true, tile: 16 }, 'has tiles of a plane for each channel'],
  ] as const)('%s', async (_, options, problem) => {
    const error = await read({ ...seen, ...options }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RectiflowError);
    expect((error as Error).message).toMatch(/^a\.png: (has|is) /);
    expect((error as Error).message).toContain(problem);
  });

  test('a field that claims more values than there is room for', async () => {
    const bytes = encodeTiff({ height: 1, width: 4, value: () => 0 });
    for (let entry = 0; entry < bytes.readUInt16LE(8); entry++) {
      if (bytes.readUInt16LE(10 + 12 * entry) === 258) bytes.writeUInt32LE(2 ** 31, 14 + 12 * entry);
    }
    await expect(decodeBytes(bytes, settings)).rejects.toThrow('its field 258 is none that TIFF knows');
  });
});
