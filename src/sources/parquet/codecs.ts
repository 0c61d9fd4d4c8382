import { pathToFileURL } from 'node:url';
import zlib from 'node:zlib';
import { type Compressors, type CompressionCodec, snappyUncompress } from 'hyparquet';
import { fileError } from '../../tensor/errors.ts';
import { findInstalled, installCommand } from '../../host/optional-package.ts';

type Decompress = (input: Uint8Array, outputLength: number) => Uint8Array;
type ZlibSync = (input: Uint8Array, options: zlib.ZlibOptions) => Uint8Array;

const PACKAGE = 'hyparquet-compressors';
/** Pages have about a million bytes; what grows by more than this is made to take all memory. */
const mostBytes = 16 << 20;
const mostGrowth = 256;

/**
 * What hyparquet needs to read columns compressed like this: gzip and brotli by Node, zstd too where Node has it (from
 * 22.15), others by the optional package hyparquet-compressors.
 * @throws RectiflowError naming the file and what to install
 */
export async function loadCodecs(codecs: Iterable<CompressionCodec>, path: string): Promise<Compressors> {
  // Node 20's types do not know of zstd.
  const { zstdDecompressSync } = zlib as { zstdDecompressSync?: ZlibSync };
  const known: Compressors = {
    SNAPPY: unpackSnappy,
    GZIP: bounded(zlib.gunzipSync),
    BROTLI: bounded(zlib.brotliDecompressSync),
    ...(zstdDecompressSync === undefined ? {} : { ZSTD: bounded(zstdDecompressSync) }),
  };
  const other = [...codecs].find((codec) => codec !== 'UNCOMPRESSED' && known[codec] === undefined);
  const all = other === undefined ? known : { ...(await loadPackage(other, path)), ...known };
  return Object.fromEntries(Object.entries(all).map(([codec, decompress]) => [codec, checked(decompress)]));
}

/** Before there is memory for it. */
function checked(decompress: Decompress): Decompress {
  return (input, outputLength) => {
    if (outputLength > Math.max(mostBytes, mostGrowth * input.length))
      throw new Error(`a page of ${input.length} bytes says that it has ${outputLength}`);
    return decompress(input, outputLength);
  };
}

/** A page says how long it is unpacked: one that is longer is damaged, and fails. */
function bounded(decompress: ZlibSync): Decompress {
  return (input, outputLength) => decompress(input, { maxOutputLength: Math.max(1, outputLength) });
}

function unpackSnappy(input: Uint8Array, outputLength: number): Uint8Array {
  const output = new Uint8Array(outputLength);
  snappyUncompress(input, output);
  return output;
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
