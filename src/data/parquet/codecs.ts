import { pathToFileURL } from 'node:url';
import zlib from 'node:zlib';
import type { Compressors, CompressionCodec } from 'hyparquet';
import { fileError } from '../../tensor/errors.ts';
import { findInstalled, installCommand } from '../packages/optional-package.ts';

type Decompress = (input: Uint8Array, outputLength: number) => Uint8Array;
type ZlibSync = (input: Uint8Array, options: zlib.ZlibOptions) => Uint8Array;

const PACKAGE = 'hyparquet-compressors';
/** hyparquet itself has these. */
const BUILT_IN: readonly CompressionCodec[] = ['UNCOMPRESSED', 'SNAPPY'];

/**
 * What hyparquet needs to read columns compressed like this: gzip and brotli by Node, zstd too where Node has it (from
 * 22.15), others by the optional package hyparquet-compressors.
 * @throws RectiflowError naming the file and what to install
 */
export async function loadCodecs(codecs: Iterable<CompressionCodec>, path: string): Promise<Compressors> {
  // Node 20's types do not know of zstd.
  const { zstdDecompressSync } = zlib as { zstdDecompressSync?: ZlibSync };
  const known: Compressors = {
    GZIP: bounded(zlib.gunzipSync),
    BROTLI: bounded(zlib.brotliDecompressSync),
    ...(zstdDecompressSync === undefined ? {} : { ZSTD: bounded(zstdDecompressSync) }),
  };
  for (const codec of codecs) {
    if (BUILT_IN.includes(codec) || known[codec] !== undefined) continue;
    return { ...(await loadPackage(codec, path)), ...known };
  }
  return known;
}

/** A page says how long it is unpacked: one that is longer is damaged, and fails. */
function bounded(decompress: ZlibSync): Decompress {
  return (input, outputLength) => decompress(input, { maxOutputLength: Math.max(1, outputLength) });
}

async function loadPackage(codec: CompressionCodec, path: string): Promise<Compressors> {
  const installed = findInstalled(PACKAGE);
  if (installed === undefined) {
    const advice = `Install ${PACKAGE} (${installCommand(PACKAGE)}), or write the file again with compression="snappy"`;
    throw fileError(path, `is compressed with ${codec}, for which ${PACKAGE} is needed`, advice);
  }
  const { compressors } = (await import(pathToFileURL(installed).href)) as { compressors: Compressors };
  return compressors;
}
