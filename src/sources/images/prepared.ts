/** What a decoder is given of a file, and what the file says beside its pixels that the decoder does not heed. */
export interface PreparedImage {
  /** Those of the file, where nothing had to be left out. */
  readonly bytes: Uint8Array;
  /** All that the decoder warns of is damage: nothing is odd in the file otherwise. */
  readonly isStrict?: boolean;
  /** Frames or pages behind the first, which is the one that is read. */
  readonly hasMore?: boolean;
  /** Text in which an orientation may stand: XMP. */
  readonly xmp?: string;
  /** An orientation that is stated otherwise than in XMP: in a place where the decoder does not look, or as a field of TIFF. */
  readonly orientation?: number;
  /** A fourth channel is there whose meaning is not transparency. */
  readonly hasOtherChannel?: boolean;
}

/** From where to where, in bytes. */
export type Range = [start: number, end: number];

/** Adds a range behind others, or to the last one that it follows. */
export function keep(ranges: Range[], start: number, end: number): void {
  const last = ranges.at(-1)!;
  if (last[1] === start) last[1] = end;
  else ranges.push([start, end]);
}

/** The bytes of the ranges: those given, where one range is all. */
export function joinRanges(bytes: Uint8Array, ranges: readonly Range[]): Uint8Array {
  const [first] = ranges;
  if (ranges.length === 1 && first![0] === 0 && first![1] === bytes.length) return bytes;
  return Buffer.concat(ranges.map(([start, end]) => bytes.subarray(start, end)));
}
