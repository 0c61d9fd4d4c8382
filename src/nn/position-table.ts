import { valueError } from '../tensor/errors.ts';

const maxPeriod = 10000;

/**
 * The fixed two-dimensional positional table of the public DiT release, for any rectangular grid. The first half of the
 * width encodes a token's column, the second its row, each as [sin, cos] of position * 10000^(-k / (width / 4)) for
 * k < width / 4. Computed in float64.
 * @returns [rows * columns, width], tokens row by row
 * @throws RectiflowError where width is no multiple of 4
 */
export function positionTable(rows: number, columns: number, width: number): Float32Array {
  if (width % 4 !== 0) throw valueError('positionTable', 'width', 'a multiple of 4', width);
  const table = new Float32Array(rows * columns * width);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const start = (row * columns + column) * width;
      encode(column, table.subarray(start, start + width / 2));
      encode(row, table.subarray(start + width / 2, start + width));
    }
  }
  return table;
}

/** Fills `out` with the sines of one position, then with its cosines. */
function encode(position: number, out: Float32Array): void {
  const frequencies = out.length / 2;
  for (let k = 0; k < frequencies; k++) {
    const angle = position / maxPeriod ** (k / frequencies);
    out[k] = Math.sin(angle);
    out[frequencies + k] = Math.cos(angle);
  }
}
