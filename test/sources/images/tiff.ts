// A writer of uncompressed TIFF files in all the forms that a decoder may meet.

const SIZES = { 1: 1, 2: 1, 3: 2, 4: 4, 7: 1 } as const;
const SHORT = 3;
const LONG = 4;
const BYTE = 1;

type FieldType = keyof typeof SIZES;
type Field = readonly [tag: number, type: FieldType, values: readonly number[]];

export interface TiffOptions {
  readonly height: number;
  readonly width: number;
  /** Of a pixel; 1 by default. */
  readonly samples?: number;
  /** Of a sample; 8 by default. */
  readonly bits?: number;
  /** 1 unsigned (default), 2 signed, 3 floats, 5 and 6 complex. */
  readonly format?: number;
  /** 0 white is 0, 1 black is 0, 2 RGB, 3 palette, 5 CMYK, 8 CIELab; by default 1 or 2. */
  readonly photometric?: number;
  /** Each sample in a plane of its own. */
  readonly planar?: boolean;
  /** Pixels of the side of a tile, a multiple of 16; by default there is one strip. */
  readonly tile?: number;
  readonly bigEndian?: boolean;
  /** Images in the file; the first is the picture, those behind it are all 0. */
  readonly pages?: number;
  readonly fields?: readonly Field[];
  readonly value: (row: number, column: number, sample: number) => number;
}

/** The bytes of a TIFF file. */
export function encodeTiff(options: TiffOptions): Buffer {
  const { bigEndian = false, pages = 1 } = options;
  const parts: Buffer[] = [Buffer.from(bigEndian ? 'MM\0*\0\0\0\x08' : 'II*\0\x08\0\0\0', 'latin1')];
  let at = 8;
  for (let page = 0; page < pages; page++) {
    const part = encodePage(page === 0 ? options : { ...options, value: () => 0 }, at, page + 1 < pages);
    parts.push(part);
    at += part.length;
  }
  return Buffer.concat(parts);
}

/** Directory, values of fields that are longer than four bytes, samples. */
function encodePage(options: TiffOptions, at: number, isFollowed: boolean): Buffer {
  const {
    height,
    width,
    samples = 1,
    bits = 8,
    format = 1,
    planar = false,
    tile,
    bigEndian = false,
  } = options;
  const { photometric = samples >= 3 ? 2 : 1, fields: more = [] } = options;
  const strips = encodeSamples(options);
  const lengths = strips.map((strip) => strip.length);
  const fields: Field[] = [
    [256, LONG, [width]],
    [257, LONG, [height]],
    [258, SHORT, new Array<number>(samples).fill(bits)],
    [259, SHORT, [1]],
    [262, SHORT, [photometric]],
    [277, SHORT, [samples]],
    [284, SHORT, [planar ? 2 : 1]],
    [339, SHORT, new Array<number>(samples).fill(format)],
    ...(tile === undefined
      ? ([
          [273, LONG, lengths],
          [278, LONG, [height]],
          [279, LONG, lengths],
        ] as const)
      : ([
          [322, LONG, [tile]],
          [323, LONG, [tile]],
          [324, LONG, lengths],
          [325, LONG, lengths],
        ] as const)),
    ...more,
  ];
  fields.sort(([a], [b]) => a - b);
  const directory = Buffer.alloc(2 + 12 * fields.length + 4);
  const extra: Buffer[] = [];
  let end = at + directory.length;
  const write = (buffer: Buffer, value: number, place: number, size: 1 | 2 | 4): void => {
    if (size === 1) buffer.writeUInt8(value, place);
    else if (bigEndian) buffer.writeUIntBE(value, place, size);
    else buffer.writeUIntLE(value, place, size);
  };
  const sizeOf = ([, type, values]: Field): number => SIZES[type] * values.length;
  const longer = fields.filter((field) => sizeOf(field) > 4);
  const start = end + longer.reduce((sum, field) => sum + sizeOf(field), 0);
  write(directory, fields.length, 0, 2);
  fields.forEach((field, i) => {
    const [tag, type, given] = field;
    const isOffsets = tag === 273 || tag === 324;
    const values = isOffsets
      ? given.map((_, n) => start + lengths.slice(0, n).reduce((sum, length) => sum + length, 0))
      : given;
    const entry = 2 + 12 * i;
    write(directory, tag, entry, 2);
    write(directory, type, entry + 2, 2);
    write(directory, values.length, entry + 4, 4);
    const isInside = sizeOf(field) <= 4;
    const target = isInside ? directory : Buffer.alloc(sizeOf(field));
    values.forEach((value, n) =>
      write(target, value, (isInside ? entry + 8 : 0) + n * SIZES[type], SIZES[type]),
    );
    if (isInside) return;
    write(directory, end, entry + 8, 4);
    extra.push(target);
    end += target.length;
  });
  const data = Buffer.concat(strips);
  write(directory, isFollowed ? start + data.length : 0, directory.length - 4, 4);
  return Buffer.concat([directory, ...extra, data]);
}

/** Strips or tiles, in the order of their fields. */
function encodeSamples({ height, width, samples = 1, planar = false, tile, ...rest }: TiffOptions): Buffer[] {
  const [tall, wide] = tile === undefined ? [height, width] : [tile, tile];
  const planes = planar ? samples : 1;
  const blocks: Buffer[] = [];
  for (let plane = 0; plane < planes; plane++) {
    for (let top = 0; top < height; top += tall) {
      for (let left = 0; left < width; left += wide) {
        const rows = Array.from({ length: tall }, (_, row) => {
          const values: number[] = [];
          for (let column = 0; column < wide; column++) {
            for (let sample = plane; sample < (planar ? plane + 1 : samples); sample++) {
              const isInside = top + row < height && left + column < width;
              values.push(isInside ? rest.value(top + row, left + column, sample) : 0);
            }
          }
          return encodeRow(values, rest);
        });
        blocks.push(Buffer.concat(rows));
      }
    }
  }
  return blocks;
}

function encodeRow(
  values: readonly number[],
  { bits = 8, format = 1, bigEndian = false }: Pick<TiffOptions, 'bits' | 'format' | 'bigEndian'>,
): Buffer {
  if (bits < 8 || bits % 8 !== 0) {
    const digits = values.map((value) => value.toString(2).padStart(bits, '0')).join('');
    const bytes = digits.padEnd(8 * Math.ceil(digits.length / 8), '0').match(/.{8}/g)!;
    return Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
  }
  const size = bits / 8;
  const row = Buffer.alloc(size * values.length);
  values.forEach((value, i) => {
    if (format === 3 && size === 4) {
      if (bigEndian) row.writeFloatBE(value, 4 * i);
      else row.writeFloatLE(value, 4 * i);
    } else if (format === 3) row.writeDoubleLE(value, size * i);
    else if (format === 2 && bigEndian) row.writeIntBE(value, size * i, size);
    else if (format === 2) row.writeIntLE(value, size * i, size);
    else if (bigEndian) row.writeUIntBE(value, size * i, size);
    else row.writeUIntLE(value, size * i, size);
  });
  return row;
}

/** A field of text, such as XMP, which is bytes. */
export function bytesField(tag: number, text: string): Field {
  return [tag, BYTE, [...Buffer.from(text)]];
}
