// A folder of the browser's own storage for this page's origin (OPFS), which nothing outside the browser sees.
import type { KeptFolder } from '../../../src/kept/folder.ts';
import type { Range } from '../../../src/tensor/stored-tensor.ts';

/** What workers have beside `createWritable`: in place, without a copy. */
interface SyncAccessHandle {
  getSize(): number;
  truncate(size: number): void;
  write(bytes: Uint8Array, options: { readonly at: number }): number;
  flush(): void;
  close(): void;
}

type FileHandle = FileSystemFileHandle & {
  readonly createSyncAccessHandle?: () => Promise<SyncAccessHandle>;
};

export class OriginFolder implements KeptFolder {
  readonly path: string;
  readonly #handle: FileSystemDirectoryHandle;

  /** @param path how people call it */
  constructor(path: string, handle: FileSystemDirectoryHandle) {
    this.path = path;
    this.#handle = handle;
  }

  async list(folder: string): Promise<string[]> {
    const handle = await orNothing(this.#folder(partsOf(folder)));
    return handle === undefined ? [] : namesIn(handle);
  }

  async size(file: string): Promise<number | undefined> {
    return (await this.#open(file))?.size;
  }

  async read(
    file: string,
    { start, end }: Partial<Range> = {},
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const found = await this.#open(file);
    return found && new Uint8Array(await found.slice(start, end).arrayBuffer());
  }

  async write(file: string, chunks: readonly Uint8Array[]): Promise<void> {
    await put(await this.#make(file), chunks, 0);
  }

  async append(file: string, bytes: Uint8Array): Promise<void> {
    const handle = await this.#make(file);
    await put(handle, [bytes], (await handle.getFile()).size);
  }

  async remove(path: string): Promise<void> {
    if (path === '') {
      for (const name of await this.list('')) await this.#handle.removeEntry(name, { recursive: true });
      return;
    }
    const parts = partsOf(path);
    const name = parts.pop()!;
    const folder = await orNothing(this.#folder(parts));
    await orNothing(folder?.removeEntry(name, { recursive: true }));
  }

  async #folder(parts: readonly string[], create = false): Promise<FileSystemDirectoryHandle> {
    let handle = this.#handle;
    for (const part of parts) handle = await handle.getDirectoryHandle(part, { create });
    return handle;
  }

  async #make(file: string): Promise<FileHandle> {
    const parts = partsOf(file);
    const name = parts.pop()!;
    return (await this.#folder(parts, true)).getFileHandle(name, { create: true });
  }

  async #open(file: string): Promise<File | undefined> {
    const parts = partsOf(file);
    const name = parts.pop()!;
    const folder = await orNothing(this.#folder(parts));
    const handle = await orNothing(folder?.getFileHandle(name));
    return handle && (await orNothing(handle.getFile()));
  }
}

/** Of files and folders. */
export async function namesIn(folder: FileSystemDirectoryHandle): Promise<string[]> {
  const names: string[] = [];
  for await (const name of folder.keys()) names.push(name);
  return names;
}

/** Writes from a place on, to which the file is cut where that fails. */
async function put(handle: FileHandle, chunks: readonly Uint8Array[], from: number): Promise<void> {
  if (handle.createSyncAccessHandle === undefined) return putCopy(handle, chunks, from);
  const access = await handle.createSyncAccessHandle();
  try {
    access.truncate(from);
    let at = from;
    for (let left of chunks)
      while (left.length > 0) {
        const count = access.write(left, { at });
        if (count === 0) throw new DOMException('Nothing more can be written.', 'QuotaExceededError');
        at += count;
        left = left.subarray(count);
      }
    access.flush();
  } catch (error) {
    access.truncate(from);
    throw error;
  } finally {
    access.close();
  }
}

/** Outside of workers: into a copy, which takes the place of the file when it is closed. */
async function putCopy(handle: FileHandle, chunks: readonly Uint8Array[], from: number): Promise<void> {
  const stream = await handle.createWritable({ keepExistingData: from > 0 });
  try {
    await stream.seek(from);
    for (const chunk of chunks) await stream.write(chunk as Uint8Array<ArrayBuffer>);
    await stream.close();
  } catch (error) {
    await stream.abort().catch(() => {});
    throw error;
  }
}

function partsOf(path: string): string[] {
  return path === '' ? [] : path.split('/');
}

/** @returns undefined where there is no such file or folder, or it is one in place of the other */
async function orNothing<T>(found: Promise<T> | undefined): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (['NotFoundError', 'TypeMismatchError'].includes((error as Error).name)) return undefined;
    throw error;
  }
}
