import { dataError, valueError } from '../../tensor/errors.ts';
import { Fingerprint } from '../fingerprint.ts';
import type { ExpressionData } from '../settings.ts';
import type { Source } from '../source.ts';
import { Hdf5File } from './hdf5.ts';
import type { Matrix } from './matrix.ts';
import { MEMORY_LIMIT, loadMatrix, matrixBytes } from './memory-matrix.ts';
import {
  Cells,
  type Names,
  type Scan,
  chooseNormalization,
  geneMoments,
  isLogarithmic,
  scanMatrix,
} from './normalize.ts';
import type { ExpressionRecord } from './record.ts';
import { type Scaling, classSizes, countsIn, fitScaling, totalQuantiles, zeroBounds } from './scaling.ts';
import { heldOutRows } from './split.ts';
import { findLayer, openMatrix } from './stored-matrix.ts';
import { type Categories, Table } from './table.ts';
import { variableGenes } from './variable-genes.ts';

/**
 * The cells of an .h5ad file (https://anndata.readthedocs.io/en/stable/fileformat-prose.html; older layouts too) as samples of
 * shape [G], normalised and scaled as `data` says. Scale and choice of genes come from the cells to train on, whichever split is
 * asked for. Of a matrix too large for memory the chosen genes are held if they fit; else each cell is read from the file when it
 * is needed.
 * Every value is looked at first. Cells with no counts are kept: all their values are zero.
 * @param memoryLimit bytes of the matrix in memory at most; 2 GiB by default
 * @param genes that a model knows: taken, as far as the file has them, in place of those that are most variable in it now
 * @throws RectiflowError naming the file, and cell and gene where there are any
 */
export async function openExpression(
  data: ExpressionData,
  memoryLimit: number = MEMORY_LIMIT,
  genes?: readonly string[],
): Promise<Source> {
  const file = await Hdf5File.open(data.path);
  try {
    return await readSource(file, data, memoryLimit, genes);
  } catch (error) {
    file.close();
    throw error;
  }
}

async function readSource(
  file: Hdf5File,
  data: ExpressionData,
  memoryLimit: number,
  known: readonly string[] | undefined,
): Promise<Source> {
  const layer = findLayer(file, data.layer);
  const stored = await openMatrix(file, layer.matrix, memoryLimit);
  const obs = new Table(file, 'obs');
  const genesTable = new Table(file, layer.genes);
  checkSizes(file, stored, genesTable.rows, obs.rows);
  const allGenes = genesTable.index(0, stored.columns);
  const names: Names = {
    file: data.path,
    cell: (row) => `cell ${row} (${obs.index(row, row + 1)[0]})`,
    gene: (column) => `gene ${allGenes[column]}`,
  };
  const labels = data.label === undefined ? undefined : readLabels(obs, data.label, names);
  const scan = await scanMatrix(stored, names, data.normalize);
  const normalize = chooseNormalization(scan, data.normalize);
  const normalized = (matrix: Matrix): Cells => new Cells(matrix, scan.totals, normalize, data.target);
  const whole = normalized(await intoMemory(stored, scan, memoryLimit));

  const codes = labels?.codes ?? new Int32Array(stored.rows);
  const held = heldOutRows(codes, labels?.names.length ?? 0, data.holdOut);
  const trained = held.map((row) => 1 - row);
  const variable = await chooseGenes(whole, trained, scan, data);
  const genes = data.variableGenes > 0 && known ? keepGenes(variable, allGenes, known) : variable;
  const cells = normalized(await intoMemory(whole.matrix, scan, memoryLimit, genes));
  // Where only they are in memory, the chosen genes are the matrix's columns.
  const columns = cells.matrix.columns === genes.length ? Int32Array.from(genes.keys()) : genes;
  const scaling = fitScaling(await geneMoments(cells, trained), columns, data.scaleGenes);
  const areCounts = scan.counts && normalize === 'log1p';
  const kept = areCounts ? await countsIn(columns, cells, trained, scan.totals, data.target) : undefined;
  const record: ExpressionRecord = {
    kind: 'expression',
    genes: Array.from(genes, (gene) => allGenes[gene]!),
    ...(data.label === undefined ? {} : { label: data.label }),
    normalize,
    target: data.target,
    center: [...scaling.center],
    deviation: [...scaling.deviation],
    ...(scan.negative ? {} : { zeroBelow: await zeroBounds(cells, trained, columns, codes) }),
    ...(kept && {
      totals: totalQuantiles(scan.totals, codes, trained),
      keptTotals: totalQuantiles(kept, codes, trained),
    }),
    cells: classSizes(codes, trained),
  };
  const rows = rowsOf(data.split === 'held-out' ? held : trained);
  return {
    name: data.path,
    count: rows.length,
    shape: [genes.length],
    ...(labels === undefined ? {} : { classes: labels.names.length, classNames: labels.names }),
    ...(data.label === undefined ? {} : { told: { by: `column ${data.label} of obs` } }),
    record,
    read: reader(cells, rows, columns, scaling, labels),
    describe: (index) => names.cell(rows[index]!),
    fingerprint() {
      const cellNames = obs.index(0, stored.rows);
      const texts = Array.from(rows, (row) => `${cellNames[row]}\t${scan.totals[row]!.toPrecision(6)}`);
      const digest = new Fingerprint().texts(texts);
      if (labels) digest.labels(rows.length, (index) => labels.codes[rows[index]!], labels.names);
      return digest.end();
    },
    close: async () => file.close(),
  };
}

function reader(
  cells: Cells,
  rows: Int32Array,
  columns: Int32Array,
  { center, deviation }: Scaling,
  labels: Categories | undefined,
): Source['read'] {
  const placeOf = new Int32Array(cells.matrix.columns).fill(-1);
  columns.forEach((column, place) => (placeOf[column] = place));
  const scaled = (place: number, value: number): number =>
    (value - center[place % center.length]!) / deviation[place % deviation.length]!;
  const zeros = Float32Array.from(columns, (_, place) => scaled(place, 0));
  return (index, out, offset) => {
    const row = rows[index]!;
    out.set(zeros, offset);
    cells.forEach(row, (column, value) => {
      const place = placeOf[column]!;
      if (place >= 0) out[offset + place] = scaled(place, value);
    });
    return labels === undefined ? {} : { label: labels.codes[row]! };
  };
}

function checkSizes(file: Hdf5File, { rows, columns }: Matrix, genes: number, cells: number): void {
  if (genes === columns && cells === rows) return;
  const problem = `the matrix is ${rows} cells x ${columns} genes, the tables name other numbers of cells or genes`;
  throw dataError(file.path, problem, 'Write the file again');
}

function readLabels(obs: Table, column: string, { file, cell }: Names): Categories {
  const labels = obs.categories(column);
  const missing = labels.codes.reduce((count, code) => count + (code < 0 ? 1 : 0), 0);
  if (missing > 0) {
    const first = cell(labels.codes.indexOf(-1));
    const problem = `${missing} of ${labels.codes.length} cells have no value in obs/${column}, the first is ${first}`;
    throw dataError(file, problem, 'Fill them in or leave these cells out');
  }
  return labels;
}

/** The matrix in memory, with the chosen genes alone if need be; or as it is, where even those are too many. */
async function intoMemory(
  matrix: Matrix,
  { stored }: Scan,
  memoryLimit: number,
  genes?: Int32Array,
): Promise<Matrix> {
  const values =
    genes?.reduce((total, gene) => total + stored[gene]!, 0) ??
    stored.reduce((total, count) => total + count, 0);
  const bytes = matrixBytes(values, matrix.rows, genes?.length ?? matrix.columns);
  return matrix.inMemory || bytes > memoryLimit ? matrix : loadMatrix(matrix, values, genes);
}

async function chooseGenes(
  cells: Cells,
  trained: Uint8Array,
  scan: Scan,
  data: ExpressionData,
): Promise<Int32Array> {
  const { columns } = cells.matrix;
  const { variableGenes: wanted, path } = data;
  if (wanted === 0) return Int32Array.from({ length: columns }, (_, gene) => gene);
  if (wanted > columns) {
    throw valueError(path, 'data.variableGenes', `at most the ${columns} genes of the file`, wanted);
  }
  if (scan.negative) {
    const advice = 'Set data.layer to raw or to a layer with counts, or data.variableGenes to 0';
    throw dataError(
      path,
      'the most variable genes are told by values from 0, there are negative ones',
      advice,
    );
  }
  const normalize = chooseNormalization(scan, data.normalize);
  const moments = await geneMoments(cells, trained, isLogarithmic(scan, normalize) ? Math.expm1 : undefined);
  return variableGenes(moments, wanted);
}

/**
 * Columns of the genes that a model knows. In a set that has changed others may be the most variable ones.
 * @param chosen those of today
 */
function keepGenes(chosen: Int32Array, all: readonly string[], known: readonly string[]): Int32Array {
  const wanted = new Set(known);
  // Where a name comes twice in the file, only the choice tells which is meant.
  if (chosen.length === known.length && chosen.every((gene) => wanted.has(all[gene]!))) return chosen;
  return Int32Array.from(all.keys()).filter((gene) => wanted.has(all[gene]!));
}

function rowsOf(chosen: Uint8Array): Int32Array {
  return Int32Array.from(chosen.keys()).filter((row) => chosen[row] === 1);
}
