// Where the files of a run lie, on hosts without a disk of their own.
import type { Range } from '../tensor/stored-tensor.ts';
import { joined } from '../tensor/joined.ts';

/** A folder of files, by paths below it as in `checkpoints/step-0000010/state.json`. What its host throws is left to who uses it. */
export interface KeptFolder {
  /** How people call it. */
  readonly path: string;
  /** The names of what is in a folder below, or in itself (''); none where that is not there. */
  list(folder: string): Promise<string[]>;
  /** Bytes; undefined where there is no such file. */
  size(file: string): Promise<number | undefined>;
  /** @param range of its bytes; all of them by default @returns undefined where there is no such file */
  read(file: string, range?: Range): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Makes a file anew, with the folders above it, and has its host keep it. Where that fails, a part of the file may be left. */
  write(file: string, chunks: readonly Uint8Array[]): Promise<void>;
  /** Adds to the end of a file, which need not be there. Where that fails, the file is as it was. */
  append(file: string, bytes: Uint8Array): Promise<void>;
  /** Removes a file, or a folder with all that is in it; all there is (''); nothing where it is not there. */
  remove(path: string): Promise<void>;
}

/** As long as the page or the process lives. */
export class MemoryFolder implements KeptFolder {
  readonly path: string;
  readonly #files = new Map<string, Uint8Array<ArrayBuffer>>();

  /** @param path how people call it */
  constructor(path = 'run') {
    this.path = path;
  }

  async list(folder: string): Promise<string[]> {
    const below = folder === '' ? '' : `${folder}/`;
    const inside = [...this.#files.keys()].filter((file) => file.startsWith(below));
    return [...new Set(inside.map((file) => file.slice(below.length).split('/')[0]!))];
  }

  async size(file: string): Promise<number | undefined> {
    return this.#files.get(file)?.length;
  }

  async read(file: string, range?: Range): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#files.get(file)?.slice(range?.start, range?.end);
  }

  async write(file: string, chunks: readonly Uint8Array[]): Promise<void> {
    this.#files.set(file, joined(chunks));
  }

  async append(file: string, bytes: Uint8Array): Promise<void> {
    this.#files.set(file, joined([this.#files.get(file) ?? new Uint8Array(), bytes]));
  }

  async remove(path: string): Promise<void> {
    for (const file of this.#files.keys())
      if (path === '' || file === path || file.startsWith(`${path}/`)) this.#files.delete(file);
  }
}

/** The paths of all files in a folder, in the order of their names. @param folder below; '' for itself */
export async function filesIn(kept: KeptFolder, folder = ''): Promise<string[]> {
  const files: string[] = [];
  for (const name of (await kept.list(folder)).toSorted()) {
    const path = folder === '' ? name : `${folder}/${name}`;
    if ((await kept.size(path)) === undefined) files.push(...(await filesIn(kept, path)));
    else files.push(path);
  }
  return files;
}
