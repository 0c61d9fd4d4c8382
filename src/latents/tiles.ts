// Pictures that are too large for memory, in tiles that overlap. All is counted in latent pixels, of which a picture is a grid.

/** One side of a grid, as tiles of one size lie on it. */
export interface Tiling {
  /** Of each tile. */
  readonly size: number;
  /** Where they begin, ascending; the first at 0, the last so that it ends with the side. */
  readonly starts: readonly number[];
}

/** `count` tiles of the least size that overlap by `overlap` at least, evenly spread over a side. */
export function tile(side: number, count: number, overlap: number): Tiling {
  if (count === 1) return { size: side, starts: [0] };
  const size = Math.ceil((side + (count - 1) * overlap) / count);
  const starts = Array.from({ length: count }, (_, i) => Math.round((i * (side - size)) / (count - 1)));
  return { size, starts };
}

/** Of three tiles or more: so that never more than two of a side meet. */
export function leastTile(overlap: number): number {
  return 2 * overlap + 2;
}

/**
 * How much of a pixel each tile says, which is one in all.
 * @param scale pixels for each latent pixel
 * @param isBlended whether one tile fades into the next; else each ends in the middle of the overlap
 * @returns for each tile a weight for each of its pixels along the side
 */
export function weightsOf({ size, starts }: Tiling, scale: number, isBlended: boolean): Float32Array[] {
  const rising = starts.map((start, i) => ramp(start, starts[i - 1], size, scale, isBlended));
  return rising.map((rise, i) => {
    const next = rising[i + 1];
    if (next === undefined) return rise;
    const offset = (starts[i + 1]! - starts[i]!) * scale;
    return rise.map((weight, at) => weight * (at < offset ? 1 : 1 - next[at - offset]!));
  });
}

/** From 0 to 1 over what a tile has in common with the one before, then 1. */
function ramp(
  start: number,
  before: number | undefined,
  size: number,
  scale: number,
  isBlended: boolean,
): Float32Array {
  const common = before === undefined ? 0 : (before + size - start) * scale;
  return Float32Array.from({ length: size * scale }, (_, at) => {
    if (at >= common) return 1;
    return isBlended ? (at + 0.5) / common : Number(at >= common / 2);
  });
}

/** A rectangle of a picture: [channels, height, width]. */
export interface Picture {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** Copies the rectangle that begins at [top, left] out of a picture. */
export function cut(
  values: Float32Array,
  from: Picture,
  part: Picture,
  top: number,
  left: number,
): Float32Array {
  const { channels, height, width } = part;
  const out = new Float32Array(channels * height * width);
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < height; row++) {
      const at = (channel * from.height + top + row) * from.width + left;
      out.set(values.subarray(at, at + width), (channel * height + row) * width);
    }
  }
  return out;
}

/** Adds a rectangle, weighted along both sides, to a picture at [top, left]. */
export function addWeighted(
  values: Float32Array,
  to: Picture,
  tileValues: Float32Array,
  rows: Float32Array,
  columns: Float32Array,
  top: number,
  left: number,
): void {
  const [height, width] = [rows.length, columns.length];
  for (let channel = 0; channel < to.channels; channel++) {
    for (let row = 0; row < height; row++) {
      const from = (channel * height + row) * width;
      const at = (channel * to.height + top + row) * to.width + left;
      for (let column = 0; column < width; column++) {
        values[at + column]! += rows[row]! * columns[column]! * tileValues[from + column]!;
      }
    }
  }
}
