// From counts to what a model learns: normalize-total, log1p, and one scale or one per gene.
import { dataError } from '../../tensor/errors.ts';
import type { ExpressionData } from '../settings.ts';
import { type Matrix, type Rows, blocks } from './matrix.ts';

/** What one pass over the whole matrix finds. */
export interface Scan {
  /** Stored values of each gene. */
  readonly stored: Float64Array;
  /** The sum of each cell over all genes. */
  readonly totals: Float64Array;
  /** Whether all are whole numbers from 0: counts. */
  readonly counts: boolean;
  readonly largest: number;
  readonly negative: boolean;
}

/** How errors call cells and genes. */
export interface Names {
  readonly file: string;
  cell(row: number): string;
  gene(column: number): string;
}

/** log1p(1e6): log-transformed values that were normalised to a million at most are no larger. */
const LARGEST_LOGARITHM = Math.log1p(1e6);
const LARGEST_FLOAT32 = 3.4028234663852886e38;
const MIXED_UP = 'Write the file again: its matrix is damaged';

/**
 * Looks at every value.
 * @param kept 1 for each cell that is wanted: of others only the places are looked at
 * @param onBad told of a cell with a value that cannot be used, which is then no longer kept; without it the error is thrown
 * @throws RectiflowError naming cell and gene, on a value that is not finite or beyond float32, on indices out of range and, unless
 * `normalize` is none, on a negative value
 */
export async function scanMatrix(
  matrix: Matrix,
  names: Names,
  normalize: ExpressionData['normalize'],
  kept: Uint8Array,
  onBad?: (cell: number, error: Error) => void,
): Promise<Scan> {
  const totals = new Float64Array(matrix.rows);
  const stored = new Float64Array(matrix.columns);
  let [largest, counts, negative] = [-Infinity, true, false];
  for await (const { start, block } of blocks(matrix)) {
    for (let i = 0; i + 1 < block.starts.length; i++) {
      const cell = start + i;
      const [from, to] = [block.starts[i]!, block.starts[i + 1]!];
      for (let at = from; at < to; at++) {
        const gene = block.columns[at]!;
        if (!(gene >= 0 && gene < matrix.columns)) {
          const problem = `${names.cell(cell)} has gene index ${gene}, there are ${matrix.columns} genes`;
          throw dataError(names.file, problem, MIXED_UP);
        }
        stored[gene]!++;
      }
      if (kept[cell] === 0) continue;
      const bad = badValue(block, from, to, normalize);
      if (bad !== undefined) {
        const error = valueProblem(names, cell, block.columns[bad]!, block.values[bad]!);
        if (onBad === undefined) throw error;
        kept[cell] = 0;
        onBad(cell, error);
        continue;
      }
      for (let at = from; at < to; at++) {
        const value = block.values[at]!;
        negative ||= value < 0;
        counts &&= value >= 0 && Number.isInteger(value);
        largest = Math.max(largest, value);
        totals[cell]! += value;
      }
    }
  }
  if (!(largest > 0)) throw dataError(names.file, 'holds no value above 0', 'Choose another layer');
  return { stored, totals, counts, largest, negative };
}

/** Where the first value stands that cannot be used. */
function badValue(
  { values }: Rows,
  from: number,
  to: number,
  normalize: ExpressionData['normalize'],
): number | undefined {
  for (let at = from; at < to; at++) {
    const value = values[at]!;
    if (!(Math.abs(value) <= LARGEST_FLOAT32) || (value < 0 && normalize !== 'none')) return at;
  }
  return undefined;
}

function valueProblem(names: Names, cell: number, gene: number, value: number): Error {
  if (value < 0 && Number.isFinite(value)) return negativeValue(names, cell, gene, value);
  const problem = `${names.cell(cell)} has ${value} for ${names.gene(gene)}`;
  const wanted = Number.isFinite(value) ? 'fit into float32' : 'be finite';
  const advice = `Values must ${wanted}: choose another layer, or leave out the cell or gene`;
  return dataError(names.file, problem, advice);
}

function negativeValue(names: Names, cell: number, gene: number, value: number): Error {
  const problem = `${names.cell(cell)} has the negative value ${value} for ${names.gene(gene)}: these are no counts`;
  const advice =
    'Set data.layer to raw or to a layer with counts, or data.normalize to none for scaled values';
  return dataError(names.file, problem, advice);
}

/** Values that are no whole numbers and small have been log-transformed already: auto leaves them as they are. */
export function chooseNormalization(
  { counts, largest }: Scan,
  normalize: ExpressionData['normalize'],
): 'log1p' | 'none' {
  if (normalize !== 'auto') return normalize;
  return counts || largest > LARGEST_LOGARITHM ? 'log1p' : 'none';
}

/** Whether the normalised values are logarithms. */
export function isLogarithmic(scan: Scan, normalize: 'log1p' | 'none'): boolean {
  return normalize === 'log1p' || (!scan.counts && !scan.negative && scan.largest <= LARGEST_LOGARITHM);
}

/** The cells of a matrix as normalised values. A cell of zeros alone stays one. */
export class Cells {
  readonly matrix: Matrix;
  private readonly totals: Float64Array;
  private readonly target: number;
  private readonly normalize: 'log1p' | 'none';

  constructor(matrix: Matrix, totals: Float64Array, normalize: 'log1p' | 'none', target: number) {
    this.matrix = matrix;
    this.totals = totals;
    this.normalize = normalize;
    this.target = target;
  }

  /** Calls `visit` for each stored value of a cell. */
  forEach(cell: number, visit: (gene: number, value: number) => void): void {
    this.visitRow(this.matrix.readRows(cell, cell + 1), 0, cell, visit);
  }

  /** Calls `visit` for each stored value of the cells that `chosen` has, in the order of the file. */
  async forEachOf(
    chosen: Uint8Array,
    visit: (cell: number, gene: number, value: number) => void,
  ): Promise<void> {
    for await (const { start, block } of blocks(this.matrix)) {
      for (let i = 0; i + 1 < block.starts.length; i++) {
        if (chosen[start + i] === 0) continue;
        this.visitRow(block, i, start + i, (gene, value) => visit(start + i, gene, value));
      }
    }
  }

  private visitRow(
    { starts, columns, values }: Rows,
    row: number,
    cell: number,
    visit: (gene: number, value: number) => void,
  ): void {
    const total = this.totals[cell]!;
    const scale = total > 0 ? this.target / total : 0;
    for (let at = starts[row]!; at < starts[row + 1]!; at++) {
      const value = values[at]!;
      visit(columns[at]!, this.normalize === 'log1p' ? Math.log1p(value * scale) : value);
    }
  }
}

export interface Moments {
  readonly mean: Float64Array;
  /** Of the population: divided by the number of cells. */
  readonly variance: Float64Array;
}

/** Mean and variance of each gene over the chosen cells, zeros included. @param map is applied to each value; 0 must stay 0 */
export async function geneMoments(
  cells: Cells,
  chosen: Uint8Array,
  map: (value: number) => number = (value) => value,
): Promise<Moments> {
  const genes = cells.matrix.columns;
  const count = chosen.reduce((sum, one) => sum + one, 0);
  const mean = new Float64Array(genes);
  const variance = new Float64Array(genes);
  await cells.forEachOf(chosen, (_, gene, value) => {
    mean[gene]! += map(value) / count;
    variance[gene]! += map(value) ** 2 / count;
  });
  for (let gene = 0; gene < genes; gene++) variance[gene] = Math.max(0, variance[gene]! - mean[gene]! ** 2);
  return { mean, variance };
}
