// TIFF 6.0, and BigTIFF, whose counts and offsets are of 8 bytes: a header, then directories, one for each page, each of
//   2 (8) bytes  n | n entries: 2 bytes tag, 2 type, 4 (8) count, 4 (8) the values or where they are | 4 (8) bytes  the next one
import { fileError } from '../../tensor/errors.ts';
import { damagedError } from './damage.ts';
import type { PreparedImage } from './prepared.ts';

const TAGS = {
  bits: 258,
  photometric: 262,
  orientation: 274,
  samples: 277,
  planar: 284,
  colours: 320,
  tileWidth: 322,
  extraSamples: 338,
  format: 339,
  dng: 50_706,
} as const;

/** Bytes of a value of a type that sizes and counts may have: BYTE, SHORT, LONG, LONG8. */
const TYPE_BYTES: Readonly<Record<number, 1 | 2 | 4 | 8>> = { 1: 1, 3: 2, 4: 4, 16: 8 };
/** Values of a field that is asked for: the colours of the largest palette. */
const MOST_VALUES = 3 << 16;
const ENTRY_BYTES = 12;
const BIG_ENTRY_BYTES = 20;

const FORMATS: Readonly<Record<number, string>> = {
  2: 'signed whole numbers',
  3: 'floats',
  5: 'complex whole numbers',
  6: 'complex numbers',
};
const COLOURS: Readonly<Record<number, string>> = {
  4: 'a mask',
  9: 'ICC Lab',
  10: 'ITU Lab',
  32_803: 'the mosaic of a camera',
  32_844: 'LogL',
  32_845: 'LogLuv',
  34_892: 'linear raw',
};
const PALETTE = 3;
const CIELAB = 8;
const UNSPECIFIED = 0;
const TO_BYTES = 'Convert it to 8 bits a channel, black 0 and white 255';

const SCALE = '(255 * ((image - black) / (white - black))).round().astype("uint8") of numpy, say';

/** What the first directory says of the samples. */
interface Samples {
  readonly bits: readonly number[];
  readonly format: number;
  readonly photometric: number;
  readonly samples: number;
  readonly extraSamples: readonly number[];
  readonly isPlanar: boolean;
  readonly isTiled: boolean;
  /** In its palette. */
  readonly colours: number;
}

/**
 * Refuses samples that a decoder shows as something else without a word, and leaves out the pages behind the first: a million
 * of them take a decoder minutes.
 * @throws RectiflowError saying what the samples are
 */
export function prepareTiff(bytes: Uint8Array, origin: string): PreparedImage {
  const directory = new Directory(bytes, origin);
  const one = (tag: number, otherwise: number): number => directory.values(tag)[0] ?? otherwise;
  if (directory.values(TAGS.dng).length > 0)
    throw fileError(origin, 'is DNG, the raw format of a camera', 'Develop it into TIFF: dcraw -T');
  const samples = one(TAGS.samples, 1);
  const bits = directory.values(TAGS.bits);
  const extraSamples = directory.values(TAGS.extraSamples);
  checkSamples(
    {
      bits: bits.length > 0 ? bits : [1],
      format: directory.values(TAGS.format).find((value) => value in FORMATS) ?? 1,
      photometric: one(TAGS.photometric, 1),
      samples,
      extraSamples,
      isPlanar: one(TAGS.planar, 1) === 2,
      isTiled: directory.values(TAGS.tileWidth).length > 0,
      colours: directory.values(TAGS.colours).length / 3,
    },
    origin,
  );
  const hasOtherChannel = extraSamples.length === 1 && extraSamples[0] === UNSPECIFIED;
  const [orientation] = directory.values(TAGS.orientation);
  return {
    ...directory.firstPage(),
    hasOtherChannel,
    ...(orientation !== undefined && { orientation }),
  };
}

function checkSamples(found: Samples, origin: string): void {
  const { bits, format, photometric, samples, extraSamples } = found;
  const [depth = 1] = bits;
  const kind = FORMATS[format];
  if (kind !== undefined && !(format === 2 && photometric === CIELAB)) {
    const problem = `has samples that are ${kind} of ${depth} bits, of which no rule says what is black and what is white`;
    throw fileError(origin, problem, `${TO_BYTES}: ${SCALE}`);
  }
  const colour = photometric === CIELAB && depth !== 16 ? `CIELab of ${depth} bits` : COLOURS[photometric];
  if (colour !== undefined) throw fileError(origin, `has ${colour} for colours`, 'Convert it to RGB or grey');
  if (bits.some((other) => other !== depth))
    throw fileError(origin, `has channels of ${bits.join(', ')} bits`, TO_BYTES);
  const isPacked = samples === 1 && photometric <= PALETTE && depth <= 8 && 8 % depth === 0;
  const isWhole = depth === 8 || (depth === 16 && photometric !== PALETTE);
  if (!isPacked && !isWhole)
    throw fileError(origin, `has ${depth} bits in each of ${samples} channels`, `${TO_BYTES}: ${SCALE}`);
  // Without its palette, a decoder shows the numbers of the colours as shades.
  if (photometric === PALETTE && found.colours !== 2 ** depth)
    throw damagedError(origin, `its palette has ${found.colours} of ${2 ** depth} colours`);
  if (extraSamples.length > 1)
    throw fileError(origin, `has ${extraSamples.length} channels beside its colours`, 'Keep one at most');
  if (found.isPlanar && found.isTiled)
    throw fileError(origin, 'has tiles of a plane for each channel', 'Save it with interleaved channels');
}

/** The first directory of a file. */
class Directory {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #origin: string;
  readonly #isLittle: boolean;
  readonly #isBig: boolean;
  readonly #start: number;
  readonly #entries: number;

  constructor(bytes: Uint8Array, origin: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#origin = origin;
    this.#isLittle = bytes[0] === 0x49;
    this.#isBig = (bytes[2]! | bytes[3]!) === 43;
    this.#start = this.#isBig ? this.#number(8, 8) : this.#number(4, 4);
    this.#entries = this.#number(this.#start, this.#isBig ? 8 : 2);
  }

  /** The values of a field of whole numbers; none where it is absent. */
  values(tag: number): number[] {
    const size = this.#entryBytes;
    const wide = this.#isBig ? 8 : 4;
    for (let i = 0, at = this.#start + (this.#isBig ? 8 : 2); i < this.#entries; i++, at += size) {
      if (this.#number(at, 2) !== tag) continue;
      const bytes = TYPE_BYTES[this.#number(at + 2, 2)];
      const count = this.#number(at + 4, wide);
      if (bytes === undefined || count > MOST_VALUES)
        throw damagedError(this.#origin, `its field ${tag} is none that TIFF knows`);
      const inside = at + 4 + wide;
      const from = bytes * count <= wide ? inside : this.#number(inside, wide);
      return Array.from({ length: count }, (_, n) => this.#number(from + n * bytes, bytes));
    }
    return [];
  }

  /** The bytes of a file of which this directory is the last. */
  firstPage(): { bytes: Uint8Array; hasMore: boolean } {
    const wide = this.#isBig ? 8 : 4;
    const link = this.#start + (this.#isBig ? 8 : 2) + this.#entries * this.#entryBytes;
    if (this.#number(link, wide) === 0) return { bytes: this.#bytes, hasMore: false };
    return { bytes: Uint8Array.from(this.#bytes).fill(0, link, link + wide), hasMore: true };
  }

  get #entryBytes(): number {
    return this.#isBig ? BIG_ENTRY_BYTES : ENTRY_BYTES;
  }

  #number(at: number, bytes: 1 | 2 | 4 | 8): number {
    if (at + bytes > this.#bytes.length)
      throw damagedError(this.#origin, 'it ends before its directory does');
    if (bytes === 1) return this.#view.getUint8(at);
    if (bytes === 2) return this.#view.getUint16(at, this.#isLittle);
    return bytes === 4
      ? this.#view.getUint32(at, this.#isLittle)
      : Number(this.#view.getBigUint64(at, this.#isLittle));
  }
}
