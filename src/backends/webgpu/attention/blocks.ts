// What a pass over scores is made of: an invocation has four rows, which meet the columns a block at a time.
import type { Heads } from './heads.ts';

/** Rows of an invocation. */
export const rows = [0, 1, 2, 3] as const;
/** Columns of a vector. */
export const four = [0, 1, 2, 3] as const;

/** Vectors of four elements of a head that one invocation or workgroup sums at most: wider heads are made in parts. */
export const mostChunks = 32;

export interface PassShape {
  /** Which rows there are, as a size. */
  readonly rowCount: 'N' | 'M';
  /** Sums of which each row has one for each element of a head. */
  readonly sums: readonly string[];
  /** Vectors of a head that are summed together. */
  readonly chunks: number;
}

/**
 * Statements of WGSL by which blocks of scores are made and used. A block's numbers are vectors `NAME_r_v`: of row r the columns
 * `column_v`. Rows are `row_r`, the block begins at column `first`, and `part` is the first vector of the part of a head that is made.
 */
export interface Blocks {
  /** Vectors of columns that each row of an invocation has. */
  readonly vectors: readonly number[];
  /** Columns of a block. */
  readonly columns: number;
  /** Rows of a workgroup, its invocations, and how many of them share a row. */
  readonly tile: { readonly rows: number; readonly invocations: number; readonly lanes: number };
  /** Of a head of so many vectors, how many are summed together. A shader is made for each answer. */
  chunksFor(chunks: number): number;
  /** Outside of functions. */
  readonly declarations: string;
  /** Gives `row_r`, `keys`, how many keys there are, and `lane`, which of those that share a row this is. */
  begin(shape: PassShape, hasLengths: boolean): string;
  /** Gives `column_v`. */
  readonly beginBlock: string;
  /** Gives the products of each row of `a` and each column of `b`. */
  products(name: string, a: Heads, b: Heads): string;
  /** Adds the columns of `b`, weighted by the block `weights`, to `sum`. @param kept what is left of the sum before, for a row */
  add(sum: string, weights: string, b: Heads, kept?: (row: number) => string): string;
  /** Makes `NAME_r`, of which each invocation has a part, the same for all that share the row. */
  join(name: string, by: 'max' | 'sum'): string;
  /** Stores sums. @param value of the vector `v` of a row */
  store(sum: string, to: Heads, value: (row: number) => string): string;
}

export function each<T>(all: readonly T[], text: (item: T, i: number) => string, separator = ' '): string {
  return all.map(text).join(separator);
}

/**
 * Statements that make a block of e to the power of what is not above 0: zeros in the columns from `end` on. A loop, as the function is long and
 * compilers of software adapters are slow.
 */
export function shares(
  { vectors }: Blocks,
  name: string,
  exponent: (r: number, v: number) => string,
  end: string,
): string {
  const all = rows.flatMap((r) => vectors.map((v) => ({ r, v })));
  return `var ${name} = array<vec4f, ${all.length}>(${each(all, ({ r, v }) => exponent(r, v), ', ')});
    for (var i = 0; i < ${all.length}; i++) { ${name}[i] = share(${name}[i]); }
    ${each(all, ({ r, v }, i) => `let ${name}_${r}_${v} = select(vec4f(0), ${name}[${i}], column_${v} < vec4u(${end}));`)}`;
}
