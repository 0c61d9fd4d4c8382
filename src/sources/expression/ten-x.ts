// Files of 10x Genomics' Cell Ranger (https://www.10xgenomics.com/support/software/cell-ranger/latest/analysis/outputs/cr-outputs-h5-matrices):
// a matrix of features x cells in compressed columns, which are cells: the rows of a matrix of cells x genes.
import { dataError } from '../../tensor/errors.ts';
import type { ExpressionData } from '../settings.ts';
import type { CellFile } from './cell-file.ts';
import { type Dataset, type Hdf5File, isDataset, rowCount } from './hdf5.ts';
import { type Matrix, type Rows, RowsBuilder } from './matrix.ts';
import { compressedLines } from './stored-matrix.ts';

const GENES = 'Gene Expression';

/** Since Cell Ranger 3 the group is called matrix; before, it had the name of a genome and other features than genes were unknown. */
export function isTenX(file: Hdf5File): boolean {
  const groups = file.names();
  return groups.includes('matrix')
    ? file.names('matrix').includes('barcodes')
    : groups.length > 0 && groups.every((group) => file.names(group).includes('barcodes'));
}

/**
 * The genes of a file of 10x Genomics, by their symbols. One that several genes share gets a number, as in scanpy: `TBCE`, `TBCE-1`.
 * @throws RectiflowError when it is damaged, or something is asked for that such files do not have
 */
export function openTenX(file: Hdf5File, { layer, label, where }: ExpressionData): CellFile {
  const column = label ?? Object.keys(where ?? {})[0];
  if (column !== undefined)
    throw unavailable(file, `no column ${column}: it knows no more of a cell than its barcode`);
  if (layer !== 'X') throw unavailable(file, `no layer ${layer}`);
  const groups = file.names();
  const group = groups.includes('matrix') ? 'matrix' : groups[0]!;
  if (group !== 'matrix' && groups.length > 1)
    throw unavailable(file, `several genomes: ${groups.join(', ')}`);
  const texts = (place: string): string[] => {
    const dataset = datasetAt(file, `${group}/${place}`);
    return file.strings(dataset, 0, rowCount(dataset));
  };
  const barcodes = texts('barcodes');
  const symbols = texts(group === 'matrix' ? 'features/name' : 'gene_names');
  const matrix = compressedLines(file, group, barcodes.length, symbols.length);
  const kinds = file.find(`${group}/features/feature_type`) ? texts('features/feature_type') : [];
  const isGene = symbols.map((_, feature) => (kinds[feature] ?? GENES) === GENES);
  return {
    matrix: isGene.every(Boolean) ? matrix : ofColumns(matrix, isGene),
    genes: distinct(symbols.filter((_, feature) => isGene[feature])),
    names: (start, end) => barcodes.slice(start, end),
    columns: [],
    categories: (name) => {
      throw unavailable(file, `no column ${name}`);
    },
  };
}

function datasetAt(file: Hdf5File, place: string): Dataset {
  const found = file.find(place);
  if (found !== undefined && isDataset(found)) return found;
  throw dataError(file.path, `is like a file of 10x Genomics, but has no ${place}`, 'Fetch the file again');
}

function unavailable(file: Hdf5File, problem: string): Error {
  const advice = "Make an .h5ad file of it that has: scanpy.read_10x_h5('...'), then write_h5ad";
  return dataError(file.path, `is a file of 10x Genomics and has ${problem}`, advice);
}

/** The wanted columns alone. What is outside of all columns stays so. */
function ofColumns(matrix: Matrix, wanted: readonly boolean[]): Matrix {
  const places = new Int32Array(matrix.columns).fill(-1);
  let columns = 0;
  wanted.forEach((isWanted, column) => {
    if (isWanted) places[column] = columns++;
  });
  const placeOf = (column: number): number => places[column] ?? columns;
  return { ...matrix, columns, readRows: (start, end) => pick(matrix.readRows(start, end), placeOf) };
}

function pick(rows: Rows, placeOf: (column: number) => number): Rows {
  const { starts, columns, values } = rows;
  const kept = new RowsBuilder(rows);
  for (let row = 0; row + 1 < starts.length; row++) {
    for (let at = starts[row]!; at < starts[row + 1]!; at++) {
      const place = placeOf(columns[at]!);
      if (place >= 0) kept.add(place, values[at]!);
    }
    kept.endRow();
  }
  return kept.finish();
}

/** Names that occur again with `-1`, `-2`, ... , as anndata's `var_names_make_unique` has them. */
function distinct(names: readonly string[]): string[] {
  const taken = new Set(names);
  const times = new Map<string, number>();
  return names.map((name) => {
    let number = times.get(name);
    times.set(name, (number ?? 0) + 1);
    if (number === undefined) return name;
    while (taken.has(`${name}-${number}`)) number++;
    times.set(name, number + 1);
    taken.add(`${name}-${number}`);
    return `${name}-${number}`;
  });
}
