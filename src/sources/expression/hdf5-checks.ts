// What is refused of a dataset before it is read: what the library would read wrongly without a word, and sizes that are stated but
// cannot be true, for which it would take memory and time.
import type { Dataset } from 'h5wasm/node';
import { fileError, formatShape } from '../../tensor/errors.ts';
import { listSome } from '../../data/list-some.ts';
import { isUnpacked } from './chunk-file.ts';
import { outsideError } from './hdf5-library.ts';

/** Classes of types, as the library numbers them. */
export const TYPE = { integer: 0, float: 1, string: 3, compound: 6, enumeration: 8 } as const;

/** Deflate, shuffle, Fletcher's checksum, n-bit and scale-offset: those of the HDF5 library itself. */
const KNOWN_FILTERS = new Set([1, 2, 3, 5, 6]);
/** What people compress with beside them. https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/RegisteredFilterPlugins.md */
const FILTER_NAMES: Readonly<Record<number, string>> = {
  4: 'szip',
  305: 'LZO',
  307: 'bzip2',
  32000: 'LZF',
  32001: 'Blosc',
  32004: 'LZ4',
  32008: 'bitshuffle',
  32013: 'ZFP',
  32015: 'Zstandard',
  32017: 'SZ',
  32026: 'Blosc2',
};
/** Deflate makes no more of a byte; no other method does of what people store. */
const MOST_PER_BYTE = 1032;
/** Bytes of a chunk at most: it is unpacked as one piece, in a heap of 2 GiB. */
const CHUNK_LIMIT = 2 ** 28;

/** @param size bytes of the file @throws RectiflowError */
export function checkDataset(path: string, dataset: Dataset, size: number): void {
  const name = dataset.path.slice(1);
  checkStorage(path, name, dataset);
  checkFilters(path, name, dataset);
  checkSizes(path, name, dataset, size);
}

function checkStorage(path: string, name: string, { metadata }: Dataset): void {
  const { virtual_sources: parts, littleEndian, size, type } = metadata;
  if (parts !== undefined) {
    const files = [...new Set(parts.map((part) => part.file_name))].filter((file) => file !== '.');
    if (files.length > 0) throw outsideError(path, `${name} cannot be read`, listSome(files));
    const problem = `${name} cannot be read: it is put together from other datasets`;
    throw fileError(path, problem, 'Read it with anndata in Python and write it again');
  }
  if (!littleEndian && size > 1 && (type === TYPE.integer || type === TYPE.float)) {
    throw fileError(path, `${name} holds big-endian numbers`, 'Write it again with little-endian ones');
  }
}

function checkFilters(path: string, name: string, dataset: Dataset): void {
  const ids = dataset.filters.map(({ id }) => id);
  const lacking = ids.find((id) => !KNOWN_FILTERS.has(id));
  if (lacking !== undefined && !isUnpacked(dataset)) {
    const method = [FILTER_NAMES[lacking], `HDF5 filter ${lacking}`].filter(Boolean).join(', ');
    const problem = `${name} is compressed with a method that cannot be read (${method})`;
    throw fileError(path, problem, "Write the file again with compression='gzip' or with none");
  }
  // Once more compressed, a few bytes become any number.
  if (new Set(ids).size < ids.length) {
    const problem = `${name} is compressed more than once with the same method`;
    throw fileError(path, problem, 'Write the file again');
  }
}

function checkSizes(path: string, name: string, { metadata }: Dataset, fileSize: number): void {
  const { shape, chunks, size, total_size: values } = metadata;
  const stated = values * size;
  if (!(stated <= MOST_PER_BYTE * fileSize)) {
    const problem = `${name} is damaged: it states a size of ${formatShape(shape ?? [])}, for which the file has too few bytes`;
    throw fileError(path, problem, 'Fetch or write the file again');
  }
  const chunk = (chunks ?? []).reduce((product, length) => product * length, size);
  if (chunks !== null && chunk > CHUNK_LIMIT) {
    const problem = `${name} is stored in chunks of ${Math.ceil(chunk / 2 ** 20)} MiB, at most ${CHUNK_LIMIT / 2 ** 20} can be read`;
    throw fileError(path, problem, 'Write the file again with smaller chunks');
  }
}
