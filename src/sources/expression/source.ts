import { dataError, valueError } from '../../tensor/errors.ts';
import { type BadSamplePolicy, mayLeaveOut } from '../../data/bad-samples.ts';
import { Fingerprint } from '../fingerprint.ts';
import { listSome } from '../../data/list-some.ts';
import type { ExpressionData } from '../settings.ts';
import type { Source } from '../../data/source.ts';
import { type Unused, unusedOf } from '../../data/told.ts';
import { openCells } from './cell-file.ts';
import { doubtfulLogarithms } from './logarithms.ts';
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
import type { ExpressionRecord } from '../../data/expression/record.ts';
import { type Scaling, classSizes, countsIn, fitScaling, totalQuantiles, zeroBounds } from './scaling.ts';
import { Selection } from './selection.ts';
import { heldOutRows } from './split.ts';
import type { Categories } from './table.ts';
import { variableGenes } from './variable-genes.ts';

export interface ExpressionOptions {
  /** Bytes of the matrix in memory at most; 2 GiB by default. */
  readonly memoryLimit?: number | undefined;
  /** Those that a model knows: taken, as far as the file has them, in place of those that are most variable in it now. */
  readonly genes?: readonly string[] | undefined;
  /** skip: a few cells without a label, or with values that cannot be used, are left out. */
  readonly onBadSample?: BadSamplePolicy | undefined;
}

/** Names of columns that hold kinds of cells. */
const LIKE_CLASSES = /label|class|type|cluster|louvain|leiden|annot|ontology|condition/i;

/**
 * The cells of an .h5ad file (https://anndata.readthedocs.io/en/stable/fileformat-prose.html; older layouts too) as samples of
 * shape [G], normalised and scaled as `data` says. Scale and choice of genes come from the cells to train on, whichever split is
 * asked for. Of a matrix too large for memory the chosen genes are held if they fit; else each cell is read from the file when it
 * is needed.
 * Every value is looked at first. Cells with no counts are kept: all their values are zero.
 * @throws RectiflowError naming the file, and cell and gene where there are any
 */
export async function openExpression(data: ExpressionData, options: ExpressionOptions = {}): Promise<Source> {
  const file = await Hdf5File.open(data.path);
  try {
    return await readSource(file, data, options);
  } catch (error) {
    file.close();
    throw error;
  }
}

async function readSource(
  file: Hdf5File,
  data: ExpressionData,
  { memoryLimit = MEMORY_LIMIT, genes: known, onBadSample = 'fail' }: ExpressionOptions,
): Promise<Source> {
  const opened = await openCells(file, data, memoryLimit);
  const { matrix: stored, genes: allGenes, logBase = Math.E } = opened;
  const names: Names = {
    file: data.path,
    cell: (row) => `cell ${row} (${opened.names(row, row + 1)[0]})`,
    gene: (column) => `gene ${allGenes[column]}`,
  };
  const selection = new Selection(data.path, stored.rows, names.cell);
  if (data.where !== undefined) selection.keepWhere(opened, data.where);
  const found = data.label === undefined ? undefined : selection.label(opened, data.label, data, onBadSample);
  selection.checkAny();
  const scan = await scanKept(stored, names, data, selection, onBadSample);
  const labels = found && selection.restrict(found);
  const normalize = chooseNormalization(scan, data.normalize);
  const normalized = (matrix: Matrix): Cells => new Cells(matrix, scan.totals, normalize, data.target);
  const whole = normalized(await intoMemory(stored, scan, memoryLimit));

  const { kept } = selection;
  const codes = labels?.codes ?? Int32Array.from(kept, (one) => one - 1);
  const held = heldOutRows(codes, labels?.names.length ?? 0, data.holdOut);
  const trained = held.map((isHeld, row) => (isHeld === 1 ? 0 : kept[row]!));
  const variable = await chooseGenes(whole, trained, scan, data, logBase);
  const genes = data.variableGenes > 0 && known ? keepGenes(variable, allGenes, known) : variable;
  const cells = normalized(await intoMemory(whole.matrix, scan, memoryLimit, genes));
  // Where only they are in memory, the chosen genes are the matrix's columns.
  const columns = cells.matrix.columns === genes.length ? Int32Array.from(genes.keys()) : genes;
  const scaling = fitScaling(await geneMoments(cells, trained), columns, data.scaleGenes);
  const areCounts = scan.counts && normalize === 'log1p';
  const keptTotals = areCounts
    ? await countsIn(columns, cells, trained, scan.totals, data.target)
    : undefined;
  const record: ExpressionRecord = {
    kind: 'expression',
    genes: Array.from(genes, (gene) => allGenes[gene]!),
    ...(data.label === undefined ? {} : { label: data.label }),
    ...(labels?.areBooleans && { booleans: true }),
    normalize,
    target: data.target,
    center: [...scaling.center],
    deviation: [...scaling.deviation],
    ...(scan.negative ? {} : { zeroBelow: await zeroBounds(cells, trained, columns, codes) }),
    ...(keptTotals && {
      totals: totalQuantiles(scan.totals, codes, trained),
      keptTotals: totalQuantiles(keptTotals, codes, trained),
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
    unused: [...selection.unused, ...unusedClasses(opened.columns, data)],
    remarks: [
      ...(await doubtfulLogarithms(whole, scan, data, kept, logBase)),
      ...notHeldOut(labels, held, data.holdOut),
    ],
    read: reader(cells, rows, columns, scaling, labels),
    describe: (index) => names.cell(rows[index]!),
    fingerprint() {
      const cellNames = opened.names(0, stored.rows);
      const texts = Array.from(rows, (row) => `${cellNames[row]}\t${scan.totals[row]!.toPrecision(6)}`);
      const digest = new Fingerprint().texts(texts);
      if (labels) digest.labels(rows.length, (index) => labels.codes[rows[index]!], labels.names);
      return digest.end();
    },
    close: async () => file.close(),
  };
}

/** Columns that look like classes, where none is told. */
function unusedClasses(columns: readonly string[], { label }: ExpressionData): Unused[] {
  const like = columns.filter((column) => LIKE_CLASSES.test(column));
  if (label !== undefined || like.length === 0) return [];
  return [unusedOf('obs column', like, 'If one holds the classes of the cells, set data.label to its name.')];
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

function scanKept(
  matrix: Matrix,
  names: Names,
  { normalize }: ExpressionData,
  selection: Selection,
  policy: BadSamplePolicy,
): Promise<Scan> {
  if (policy === 'fail') return scanMatrix(matrix, names, normalize, selection.kept);
  const cells = selection.count;
  let bad = 0;
  return scanMatrix(matrix, names, normalize, selection.kept, (cell, error) => {
    if (!mayLeaveOut(policy, ++bad, cells)) throw error;
    selection.leaveOut(cell, 'damaged cell', error.message);
  });
}

/** Says of which classes no cell is held out, where cells are: one at least of each is trained on. */
function notHeldOut(labels: Categories | undefined, held: Uint8Array, share: number): string[] {
  if (labels === undefined || share === 0) return [];
  const heldOut = new Set(labels.codes.filter((_, row) => held[row] === 1));
  const without = labels.names.filter((_, label) => !heldOut.has(label));
  if (without.length === 0) return [];
  return [
    `No cell is held out of ${listSome(without)}: ${without.length === 1 ? 'it has' : 'they have'} too few.`,
  ];
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
  logBase: number,
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
  // What rectiflow itself makes are natural logarithms.
  const scale = normalize === 'log1p' ? 1 : Math.log(logBase);
  const undo = (value: number): number => Math.expm1(value * scale);
  const moments = await geneMoments(cells, trained, isLogarithmic(scan, normalize) ? undo : undefined);
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
