import { constant } from '../ops/index.ts';
import { valueError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { FixedTable } from './fixed-table.ts';

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

/** A model's positional tables, of every grid of tokens that it meets. */
export class PositionTables {
  readonly #width: number;
  readonly #values = new Map<string, Float64Array>();

  /** @param width features of a token, a multiple of 4 */
  constructor(width: number) {
    this.#width = width;
  }

  /** The table of a grid, [1, rows * columns, width]. @param like any tensor of the trace */
  of(rows: number, columns: number, like: Tensor): Tensor {
    const key = `${rows} x ${columns}`;
    const values = this.#values.get(key) ?? Float64Array.from(positionTable(rows, columns, this.#width));
    this.#values.set(key, values);
    return constant(like, [1, rows * columns, this.#width], values);
  }

  /** The table of a grid as files of the public release carry it. */
  inFiles(rows: number, columns: number): FixedTable {
    const width = this.#width;
    return {
      name: 'pos_embed',
      shape: [1, rows * columns, width],
      values: () => positionTable(rows, columns, width),
      matches: (values, shape, tolerance) =>
        shape.length === 3 && shape[0] === 1 && shape[2] === width && isTable(values, width, tolerance),
    };
  }
}

/** Whether some grid, of as many tokens as there are, has this table. */
function isTable(values: Float32Array, width: number, tolerance: number): boolean {
  const tokens = values.length / width;
  const half = width / 2;
  const codes = Array.from<Float32Array | undefined>({ length: tokens });
  const isCode = (position: number, at: number): boolean => {
    const code = (codes[position] ??= codeOf(position, half));
    return code.every((value, i) => Math.abs(value - values[at + i]!) <= tolerance);
  };
  const divisors = Array.from({ length: tokens }, (_, i) => i + 1).filter((count) => tokens % count === 0);
  return divisors.some((columns) => {
    for (let token = 0; token < tokens; token++) {
      const [column, row] = [token % columns, Math.floor(token / columns)];
      if (!isCode(column, token * width) || !isCode(row, token * width + half)) return false;
    }
    return true;
  });
}

function codeOf(position: number, length: number): Float32Array {
  const code = new Float32Array(length);
  encode(position, code);
  return code;
}
