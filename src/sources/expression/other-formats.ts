// Files of cells in other formats: what they are, and how they become an .h5ad file.
import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileError } from '../../tensor/errors.ts';
import { listSome } from '../../data/list-some.ts';

/** What a format is called, and what makes an .h5ad file of it. */
type Format = readonly [name: string, conversion: string];

const python = (read: string): string => `In Python: ${read}.write_h5ad('cells.h5ad')`;
const readR = "In R: anndataR::write_h5ad(readRDS('...'), 'cells.h5ad')";

const byEnding: readonly (readonly [ending: RegExp, format: Format])[] = [
  [/\.mtx(\.gz)?$/i, ['a Matrix Market file', python("scanpy.read_10x_mtx('its folder')")]],
  [/\.csv(\.gz)?$/i, ['a table of text', python("scanpy.read_csv('...')")]],
  [/\.(tsv|txt|tab)(\.gz)?$/i, ['a table of text', python("scanpy.read_text('...')")]],
  [/\.(rds|rda|rdata|robj)$/i, ['a file of R', readR]],
  [/\.(h5ad|h5mu|h5|loom)\.gz$/i, ['packed with gzip', 'Unpack it with gunzip']],
  [/\.zip$/i, ['a zip archive', 'Unpack it']],
  [/\.(parquet|feather|arrow)$/i, ['a table', 'Make an AnnData object of it and write it with write_h5ad']],
];

/** An error for a file that is not HDF5. */
export function noHdf5(path: string): Error {
  const [name, conversion] = byEnding.find(([ending]) => ending.test(path))?.[1] ?? [];
  if (name !== undefined) return fileError(path, `is ${name}, wanted is an .h5ad file (HDF5)`, conversion!);
  return fileError(path, 'is no HDF5 file, which .h5ad files are', 'Check the path, or fetch the file again');
}

/** An error for a folder, where a file is wanted; undefined where it is none that is known. */
export async function knownFolder(path: string): Promise<Error | undefined> {
  const names = await readdir(path).catch(() => []);
  const wanted = 'wanted is an .h5ad file (HDF5)';
  if (names.some((name) => ['.zgroup', '.zattrs', 'zarr.json'].includes(name))) {
    return fileError(path, `is a Zarr store, ${wanted}`, python("anndata.read_zarr('...')"));
  }
  if (names.some((name) => /^(.*_)?matrix\.mtx(\.gz)?$/.test(name))) {
    return fileError(path, `is a folder of 10x Genomics, ${wanted}`, python("scanpy.read_10x_mtx('...')"));
  }
  const files = names.filter((name) => /\.(h5ad|h5mu)$/i.test(name));
  if (files.length === 0) return undefined;
  const advice = `Set data.path to one of its files, as in ${basename(path)}/${files[0]}`;
  return fileError(path, `is a folder, wanted is one .h5ad file`, advice);
}

/** An error for HDF5 that is no AnnData. @param names of what the file holds */
export function otherFormat(path: string, names: readonly string[]): Error {
  const has = (...wanted: string[]): boolean => wanted.every((name) => names.includes(name));
  const wanted = 'wanted is AnnData (.h5ad)';
  if (has('matrix', 'row_attrs', 'col_attrs')) {
    return fileError(path, `is a loom file, ${wanted}`, python("scanpy.read_loom('...')"));
  }
  if (has('assays', 'cell.names')) {
    return fileError(path, `is a Seurat file, ${wanted}`, "In R: SeuratDisk::Convert('...', dest = 'h5ad')");
  }
  const found = names.length === 0 ? 'it is empty' : `it holds ${listSome(names)}`;
  return fileError(path, `is no AnnData file (.h5ad): ${found}`, 'Check the path');
}
