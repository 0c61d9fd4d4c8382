import { dataError, valueError } from '../../tensor/errors.ts';
import type { ExpressionData } from '../settings.ts';
import type { Source } from '../source.ts';
import { Hdf5File } from './hdf5.ts';
import { MEMORY_LIMIT, type Matrix, findLayer, loadMatrix, matrixBytes, openMatrix } from './matrix.ts';
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
import { type Scaling, fitScaling, zeroBounds, totalQuantiles } from './scaling.ts';
import { heldOutRows } from './split.ts';
import { type Categories, Table } from './table.ts';
import { variableGenes } from './variable-genes.ts';

/**
 * The cells of an .h5ad file (https://anndata.readthedocs.io/en/stable/fileformat-prose.html; older layouts too) as samples of
 * shape [G], normalised and scaled as `data` says. Scale and choice of genes come from the cells to train on, whichever split is
 * asked for. A matrix of up to 2 GiB is held in memory; of a larger one each cell is read from the file when it is needed.
 * Every value is looked at first. Cells with no counts are kept: all their values are zero.
 * @throws RectiflowError naming the file, and cell and gene where there are any
 */
export async function openExpression(data: ExpressionData): Promise<Source> {
  const file = await Hdf5File.open(data.path);
  try {
    return readSource(file, data);
  } catch (error) {
    file.close();
    throw error;
  }
}

function readSource(file: Hdf5File, data: ExpressionData): Source {
  const layer = findLayer(file, data.layer);
  const stored = openMatrix(file, layer.matrix);
  const obs = new Table(file, 'obs');
  const allGenes = new Table(file, layer.genes).index(0, stored.columns + 1);
  checkSizes(file, stored, allGenes.length, obs.index(0, stored.rows + 1).length);
  const names: Names = {
    file: data.path,
    cell: (row) => `cell ${row} (${obs.index(row, row + 1)[0]})`,
    gene: (column) => `gene ${allGenes[column]}`,
  };
  const labels = data.label === undefined ? undefined : readLabels(obs, data.label, names);
  const scan = scanMatrix(stored, names, data.normalize);
  const normalize = chooseNormalization(scan, data.normalize);
  const cells = new Cells(intoMemory(stored, scan), scan.totals, normalize, data.target);

  const codes = labels?.codes ?? new Int32Array(stored.rows);
  const held = heldOutRows(codes, labels?.names.length ?? 0, data.holdOut);
  const trained = held.map((row) => 1 - row);
  const genes = chooseGenes(cells, trained, scan, data);
  const scaling = fitScaling(geneMoments(cells, trained), genes, data.scaleGenes);
  const totals =
    scan.counts && normalize === 'log1p' ? totalQuantiles(scan.totals, codes, trained) : undefined;
  const record: ExpressionRecord = {
    kind: 'expression',
    genes: Array.from(genes, (gene) => allGenes[gene]!),
    ...(data.label === undefined ? {} : { label: data.label }),
    normalize,
    target: data.target,
    center: [...scaling.center],
    deviation: [...scaling.deviation],
    ...(scan.negative ? {} : { zeroBelow: zeroBounds(cells, trained, genes, codes) }),
    ...(totals === undefined ? {} : { totals }),
  };
  const rows = rowsOf(data.split === 'held-out' ? held : trained);
  return {
    name: data.path,
    count: rows.length,
    shape: [genes.length],
    ...(labels === undefined ? {} : { classes: labels.names.length, classNames: labels.names }),
    record,
    read: reader(cells, rows, genes, scaling, labels),
    describe: (index) => names.cell(rows[index]!),
    close: async () => file.close(),
  };
}

function reader(
  cells: Cells,
  rows: Int32Array,
  genes: Int32Array,
  { center, deviation }: Scaling,
  labels: Categories | undefined,
): Source['read'] {
  const placeOf = new Int32Array(cells.matrix.columns).fill(-1);
  genes.forEach((gene, place) => (placeOf[gene] = place));
  const scaled = (place: number, value: number): number =>
    (value - center[place % center.length]!) / deviation[place % deviation.length]!;
  const zeros = Float32Array.from(genes, (_, place) => scaled(place, 0));
  return (index, out, offset) => {
    const row = rows[index]!;
    out.set(zeros, offset);
    cells.forEach(row, (gene, value) => {
      const place = placeOf[gene]!;
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

function intoMemory(matrix: Matrix, { values }: Scan): Matrix {
  if (matrix.inMemory || matrixBytes(values, matrix.rows, matrix.columns) > MEMORY_LIMIT) return matrix;
  return loadMatrix(matrix, values);
}

function chooseGenes(cells: Cells, trained: Uint8Array, scan: Scan, data: ExpressionData): Int32Array {
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
  const moments = geneMoments(cells, trained, isLogarithmic(scan, normalize) ? Math.expm1 : undefined);
  return variableGenes(moments, wanted);
}

function rowsOf(chosen: Uint8Array): Int32Array {
  return Int32Array.from(chosen.keys()).filter((row) => chosen[row] === 1);
}
