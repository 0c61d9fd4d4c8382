import { constant } from '../ops/index.ts';
import { valueError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { FixedTable } from './fixed-table.ts';

const maxPeriod = 10000;

/**
 * Where the tokens of an axis lie, of which there are n. grid: 0, 1, 2, ..., whatever their number. stretched: i * base / n, so that
 * grids of every size cover the places of one with `base` tokens; the first token stays at 0 (as in PixArt, Chen et al. 2023).
 * centred: (i + 0.5) * base / n - 0.5, which covers them evenly.
 */
export const positionKinds = ['grid', 'stretched', 'centred'] as const;

export interface Positions {
  readonly kind: (typeof positionKinds)[number];
  /** Of the grid whose places are stretched over others; a grid of itself needs none. */
  readonly base?: readonly [rows: number, columns: number] | undefined;
}

/** Where tokens lie along an axis. @param base tokens along it of the grid that is stretched */
function placesOf(kind: Positions['kind'], count: number, base: number = count): number[] {
  const step = base / count;
  const place = { grid: (i: number) => i, stretched: (i: number) => i * step, centred };
  return Array.from({ length: count }, (_, i) => place[kind](i));

  function centred(i: number): number {
    return (i + 0.5) * step - 0.5;
  }
}

/** Where the rows of a grid of tokens lie, and its columns. */
export function gridPlaces(
  { kind, base }: Positions,
  rows: number,
  columns: number,
): [down: number[], across: number[]] {
  return [placesOf(kind, rows, base?.[0]), placesOf(kind, columns, base?.[1])];
}

/** The grids that so many tokens may be in. */
export function gridsOf(tokens: number): [rows: number, columns: number][] {
  const divisors = Array.from({ length: tokens }, (_, i) => i + 1).filter((count) => tokens % count === 0);
  return divisors.map((columns) => [tokens / columns, columns]);
}

/**
 * The fixed two-dimensional positional table of the public DiT release, for any rectangular grid. The first half of the
 * width encodes a token's column, the second its row, each as [sin, cos] of position * 10000^(-k / (width / 4)) for
 * k < width / 4. Computed in float64.
 * @param positions the whole numbers of the public release by default
 * @returns [rows * columns, width], tokens row by row
 * @throws RectiflowError where width is no multiple of 4
 */
export function positionTable(
  rows: number,
  columns: number,
  width: number,
  positions: Positions = { kind: 'grid' },
): Float32Array {
  if (width % 4 !== 0) throw valueError('positionTable', 'width', 'a multiple of 4', width);
  const table = new Float32Array(rows * columns * width);
  const [down, across] = gridPlaces(positions, rows, columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const start = (row * columns + column) * width;
      encode(across[column]!, table.subarray(start, start + width / 2));
      encode(down[row]!, table.subarray(start + width / 2, start + width));
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
  readonly #positions: Positions;
  readonly #values = new Map<string, Float64Array>();

  /** @param width features of a token, a multiple of 4 */
  constructor(width: number, positions: Positions = { kind: 'grid' }) {
    this.#width = width;
    this.#positions = positions;
  }

  /** The table of a grid, [1, rows * columns, width]. @param like any tensor of the trace */
  of(rows: number, columns: number, like: Tensor): Tensor {
    const key = `${rows} x ${columns}`;
    const values = this.#values.get(key) ?? Float64Array.from(this.#tableOf(rows, columns));
    this.#values.set(key, values);
    return constant(like, [1, rows * columns, this.#width], values);
  }

  #tableOf(rows: number, columns: number): Float32Array {
    return positionTable(rows, columns, this.#width, this.#positions);
  }

  /** The table of a grid as files of the public release carry it. */
  inFiles(rows: number, columns: number): FixedTable {
    const width = this.#width;
    return {
      name: 'pos_embed',
      shape: [1, rows * columns, width],
      values: () => this.#tableOf(rows, columns),
      matches: (values, shape, tolerance) =>
        shape.length === 3 && shape[0] === 1 && shape[2] === width && this.#isTable(values, tolerance),
    };
  }

  /** Whether some grid, of as many tokens as there are, has this table. */
  #isTable(values: Float32Array, tolerance: number): boolean {
    if (this.#positions.kind === 'grid') return isGridTable(values, this.#width, tolerance);
    const tokens = values.length / this.#width;
    return gridsOf(tokens).some((grid) =>
      this.#tableOf(...grid).every((value, i) => Math.abs(value - values[i]!) <= tolerance),
    );
  }
}

/** The same for whole numbers, whose codes are those of all grids. */
function isGridTable(values: Float32Array, width: number, tolerance: number): boolean {
  const tokens = values.length / width;
  const half = width / 2;
  const codes = Array.from<Float32Array | undefined>({ length: tokens });
  const isCode = (position: number, at: number): boolean => {
    const code = (codes[position] ??= codeOf(position, half));
    return code.every((value, i) => Math.abs(value - values[at + i]!) <= tolerance);
  };
  return gridsOf(tokens).some(([, columns]) => {
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
