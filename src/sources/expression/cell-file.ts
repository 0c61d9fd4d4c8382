// The cells of a file before anything is chosen or normalised, whichever of the layouts it has.
import { dataError } from '../../tensor/errors.ts';
import { didYouMean } from '../../tensor/suggest.ts';
import { listSome } from '../../data/list-some.ts';
import type { ExpressionData } from '../settings.ts';
import type { Hdf5File } from './hdf5.ts';
import type { Matrix } from './matrix.ts';
import { otherFormat } from './other-formats.ts';
import { findLayer, openMatrix } from './stored-matrix.ts';
import { type Categories, Table } from './table.ts';
import { isTenX, openTenX } from './ten-x.ts';

export interface CellFile {
  readonly matrix: Matrix;
  /** Names, one for each column. */
  readonly genes: readonly string[];
  /** What the logarithms were taken to, where the file says so: other than e. */
  readonly logBase?: number;
  /** Names of cells [start, end). */
  names(start: number, end: number): string[];
  /** The columns that say something of cells. */
  readonly columns: readonly string[];
  /** @throws RectiflowError when there is no such column, or it has no classes */
  categories(column: string): Categories;
}

/**
 * Opens the cells that `data` names: of AnnData, of a modality of MuData, or of 10x Genomics.
 * @param memoryLimit bytes of a matrix that is held in memory at most
 * @throws RectiflowError when the file is of another kind, or damaged
 */
export async function openCells(
  file: Hdf5File,
  data: ExpressionData,
  memoryLimit: number,
): Promise<CellFile> {
  const names = file.names();
  if (data.modality !== undefined || names.includes('mod')) enterModality(file, data.modality);
  else if (isTenX(file)) return openTenX(file, data);
  else if (!names.includes('obs')) throw otherFormat(file.path, names);
  const layer = findLayer(file, data.layer);
  const [obs, genes] = [new Table(file, 'obs'), new Table(file, layer.genes)];
  const matrix = await openMatrix(file, layer.matrix, { cells: obs.rows, genes: genes.rows }, memoryLimit);
  const logBase = file.scalar('uns/log1p/base');
  return {
    matrix,
    genes: genes.index(0, matrix.columns),
    ...(logBase !== undefined && logBase > 0 && logBase !== 1 && { logBase }),
    names: (start, end) => obs.index(start, end),
    columns: obs.columns,
    categories: (column) => obs.categories(column),
  };
}

function enterModality(file: Hdf5File, modality: string | undefined): void {
  const known = file.names('mod');
  if (known.length === 0) {
    throw dataError(file.path, `has no modalities, data.modality is ${modality}`, 'Leave data.modality out');
  }
  const only = known.length === 1 ? known[0] : undefined;
  const chosen = modality ?? only;
  if (chosen === undefined || !known.includes(chosen)) {
    const problem =
      modality === undefined ? `is MuData, with several modalities` : `has no modality ${modality}`;
    const hint = modality === undefined ? '' : didYouMean(modality, known);
    throw dataError(file.path, problem, `Set data.modality to one of ${listSome(known)}.${hint}`);
  }
  file.enter(`mod/${chosen}`);
}
