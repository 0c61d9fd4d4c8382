// A tar header (POSIX.1-2001 ustar, and GNU's older form): one block of 512 bytes, text fields ended by NUL, numbers in octal.
//   0 name 100 | 100 mode 8 | 108 uid 8 | 116 gid 8 | 124 size 12 | 136 mtime 12 | 148 checksum 8 | 156 type 1 |
//   157 link name 100 | 257 magic 6 | 263 version 2 | 265 user 32 | 297 group 32 | 329 device 16 | 345 prefix 155
export const BLOCK = 512;

const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
const SIZE = { offset: 124, length: 12 } as const;
const CHECKSUM = { offset: 148, length: 8 } as const;
const TYPE_OFFSET = 156;
const MAGIC_OFFSET = 257;
const PREFIX_OFFSET = 345;

export interface TarHeader {
  readonly name: string;
  /** undefined: the field holds no number. */
  readonly size: number | undefined;
  readonly type: string;
}

/** Bytes on the disk of content with this size: whole blocks. */
export function paddedSize(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

export function isZeroBlock(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

/** Whether the block's sum is the one that it states: what tells a header from anything else. */
export function hasChecksum(block: Uint8Array): boolean {
  return parseNumber(block, CHECKSUM.offset, CHECKSUM.length) === checksum(block);
}

export function parseHeader(block: Uint8Array): TarHeader {
  const name = text(block, 0, NAME_BYTES);
  // GNU's older form has other things where ustar has the prefix; its magic ends in a space.
  const isUstar = text(block, MAGIC_OFFSET, 6) === 'ustar';
  const prefix = isUstar ? text(block, PREFIX_OFFSET, PREFIX_BYTES) : '';
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size: parseNumber(block, SIZE.offset, SIZE.length),
    type: block[TYPE_OFFSET] === 0 ? '0' : String.fromCharCode(block[TYPE_OFFSET]!),
  };
}

/** A header that is the same whoever writes it, and when. `name` has at most 100 bytes. */
export function encodeHeader(name: string, size: number, type: string): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (value: string, offset: number): void => block.set(Buffer.from(value), offset);
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');
  put(name, 0);
  put(octal(0o644, 7), 100);
  for (const id of [108, 116]) put(octal(0, 7), id);
  put(octal(size, 11), SIZE.offset);
  put(octal(0, 11), 136);
  put(type, TYPE_OFFSET);
  put('ustar\u000000', MAGIC_OFFSET);
  put(`${octal(checksum(block), 6)}\0 `, CHECKSUM.offset);
  return block;
}

/** The sum of the bytes, its own field counted as spaces. */
function checksum(block: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) {
    const isOwn = i >= CHECKSUM.offset && i < CHECKSUM.offset + CHECKSUM.length;
    sum += isOwn ? 0x20 : block[i]!;
  }
  return sum;
}

/** Octal text, or GNU's form for large numbers: a first byte of 0x80, then the number in big-endian bytes. */
function parseNumber(block: Uint8Array, offset: number, length: number): number | undefined {
  const field = block.subarray(offset, offset + length);
  let value = 0;
  if (field[0] === 0x80) {
    for (const byte of field.subarray(1)) value = value * 256 + byte;
  } else {
    const digits = text(block, offset, length).trim();
    if (!/^[0-7]+$/.test(digits)) return undefined;
    value = Number.parseInt(digits, 8);
  }
  return Number.isSafeInteger(value) ? value : undefined;
}

function text(block: Uint8Array, offset: number, length: number): string {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return Buffer.from(end === -1 ? field : field.subarray(0, end)).toString('utf8');
}
