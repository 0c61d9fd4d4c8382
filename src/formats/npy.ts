// The header of a .npy file on the disk.
import { readFully, withFile } from '../host/read-file.ts';
import { MOST_NPY_HEADER, type NpyHeader, parseNpyHeader } from './npy-bytes.ts';

/**
 * What a .npy file says of its values.
 * @throws RectiflowError naming the file: no .npy, truncated, Fortran order, another byte order, objects (which are Python
 * pickles: nothing of them is read)
 */
export async function readNpyHeader(path: string): Promise<NpyHeader> {
  return withFile(path, async (file) => {
    const { size } = await file.stat();
    const start = new Uint8Array(Math.min(MOST_NPY_HEADER, size));
    await readFully(file, start, 0, path);
    return parseNpyHeader(start, size, path);
  });
}
