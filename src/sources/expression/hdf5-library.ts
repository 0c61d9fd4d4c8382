// The HDF5 library as files are read with it, which may be damaged or hostile. Files of its format may refer to other files (external
// links, external storage, virtual datasets, filters as plugins): this library sees no file system but the one file. Damaged ones
// may keep it busy without end: each call ends in a stated time. And what they do to its memory is unknown: after an error the next
// file gets a library of its own.
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Script, createContext } from 'node:vm';
import type { File } from 'h5wasm/node';
import { RectiflowError, fileError } from '../../tensor/errors.ts';

type Hdf5Module = typeof import('h5wasm/node');

/** Of a call, most of which take less than a second. */
const TIME_LIMIT_MS = 20_000;

/** The part of emscripten's file system that is used here; with h5wasm in Node.js it is that of the machine. */
interface FileSystem extends Record<string, unknown> {
  open(path: string, flags: number, mode?: number): unknown;
  unlink(path: string): void;
  ErrnoError: new (errno: number) => Error;
}

/** Its functions that take a path and look what is there, and those that change what is there. */
const LOOKING = ['stat', 'lstat', 'statfs', 'lookupPath', 'readdir', 'readlink'];
const CHANGING = 'mknod mkdir symlink rename rmdir truncate utime chdir chmod lchmod chown lchown'.split(' ');
const NO_SUCH_FILE = 44;
const FLAG = { exclusive: 128, directory: 65536 } as const;

/** One library, in a memory of its own. */
interface Library {
  readonly module: Hdf5Module;
  /** Paths by the names that it knows them by: what no file can guess. */
  readonly given: Map<string, string>;
  /** What it wanted to open beside them in the call that is under way. */
  outside?: string | undefined;
  /** Whether a call was stopped: it is not to be called again. */
  isStopped: boolean;
}

/** That of the next file, where no call of it failed so far. */
let current: Promise<Library> | undefined;
let libraries = 0;

/** Loaded when the first file is opened: it has 4 MB. */
async function loadLibrary(): Promise<Library> {
  // A module of another address is another one, with a memory of its own; the one that programs import themselves is left alone.
  const address = `${import.meta.resolve('h5wasm/node')}?reader=${libraries++}`;
  const module = (await import(/* @vite-ignore */ address)) as Hdf5Module;
  const library: Library = { module, given: new Map(), isStopped: false };
  const parts = await module.ready;
  // Without it errors are printed, and what was not read is whatever the memory held.
  parts.activate_throwing_error_handler();
  parts.UTF8ToString = (pointer) => textAt(parts.HEAPU8, pointer);
  parts.AsciiToString = parts.UTF8ToString;
  closeFileSystem(parts.FS as unknown as FileSystem, library);
  return library;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The library's own way reads what is no UTF-8 as something else without a word. What is said to be ASCII often is UTF-8. */
function textAt(heap: Uint8Array, pointer: number): string {
  if (pointer === 0) return '';
  const end = heap.indexOf(0, pointer);
  try {
    return decoder.decode(heap.subarray(pointer, end));
  } catch {
    throw new Error('it holds text that is not UTF-8');
  }
}

function closeFileSystem(system: FileSystem, library: Library): void {
  const { open, unlink } = system;
  const { given } = library;
  // What the library says of an error goes through a temporary file.
  const own = new Set<string>();
  let isWithin = false;
  const refuse = (): never => {
    throw new system.ErrnoError(NO_SUCH_FILE);
  };
  for (const name of CHANGING) system[name] = refuse;
  for (const name of LOOKING) {
    const usual = system[name] as (path: string, options: unknown) => unknown;
    system[name] = (path: string, options: unknown) => {
      // One of these calls another.
      if (isWithin) return usual(path, options);
      isWithin = true;
      try {
        return usual(given.get(path) ?? refuse(), options);
      } finally {
        isWithin = false;
      }
    };
  }
  system.unlink = (path) => (own.delete(path) ? unlink(path) : refuse());
  system.open = (path, flags, mode) => {
    const isNew = (flags & FLAG.exclusive) !== 0;
    if (isNew) own.add(path);
    const real = isNew ? path : given.get(path);
    if (real !== undefined) return open(real, flags, mode);
    // Folders are looked into for plugins, which are not wanted either.
    if ((flags & FLAG.directory) === 0) library.outside = path;
    return refuse();
  };
}

/** A file that is open, and how it is read: everything that calls the library stands within `guard`. */
export interface OpenFile {
  readonly file: File;
  /**
   * Runs what calls the library; what it throws becomes an error that says what went wrong.
   * @param problem as the message of an error begins: `X cannot be read`
   * @throws RectiflowError also where the file refers to another one, or the call does not end
   */
  guard<T>(problem: string, action: () => T): T;
  close(): void;
}

/** @throws RectiflowError when it cannot be opened */
export async function openFile(path: string): Promise<OpenFile> {
  current ??= loadLibrary();
  const library = await current;
  const name = `/${randomUUID()}.h5`;
  // Absolute: the library has a working folder of its own.
  library.given.set(name, resolve(path));
  const guard: OpenFile['guard'] = (problem, action) => guarded(library, path, problem, action);
  try {
    const file = guard('cannot be opened', () => new library.module.File(name, 'r'));
    return {
      file,
      guard,
      close() {
        library.given.delete(name);
        if (library.isStopped) return;
        try {
          guard('cannot be closed', () => file.close());
        } catch {
          // It was only read, and the library is not used for others.
        }
      },
    };
  } catch (error) {
    library.given.delete(name);
    throw error;
  }
}

const context = createContext({});
const call = new Script('action()');

function guarded<T>(library: Library, path: string, problem: string, action: () => T): T {
  if (library.isStopped) {
    throw fileError(path, `${problem}: the library was stopped while it read a file`, 'Open it again');
  }
  library.outside = undefined;
  const printed = silence();
  try {
    context['action'] = action;
    const result = call.runInContext(context, { timeout: TIME_LIMIT_MS }) as T;
    if (library.outside === undefined) return result;
  } catch (error) {
    if (error instanceof RectiflowError && library.outside === undefined) throw error;
    current = undefined;
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
      library.isStopped = true;
      const why = `${problem}: it took longer than ${TIME_LIMIT_MS / 1000} s, as only damaged files do`;
      throw fileError(path, why, 'Fetch or write the file again', error);
    }
    if (library.outside === undefined) {
      throw fileError(path, `${problem}: ${reasonOf(error)}`, 'Fetch or write the file again', error);
    }
  } finally {
    printed.restore();
  }
  throw outsideError(path, problem, library.outside);
}

/** The library prints warnings and its end; what went wrong is said by the error. */
function silence(): { restore: () => void } {
  const { write } = process.stderr;
  process.stderr.write = () => true;
  return { restore: () => (process.stderr.write = write) };
}

/** @param what is read of the file, with a verb: `X cannot be read` */
export function outsideError(path: string, what: string, target: string): Error {
  const why = `${what}: it is kept in another file (${target}), and nothing outside of the file itself is read`;
  const advice = 'If you trust it, read it with anndata in Python and write it again as one file';
  return fileError(path, why, advice);
}

/** HDF5 prints its stack outermost first: the last line says what went wrong. Of others, what is no fault of their own. */
function reasonOf(error: unknown): string {
  // Of WebAssembly, which was led astray.
  const isBroken = error instanceof Error && ['RangeError', 'RuntimeError'].includes(error.name);
  if (isBroken) return 'sizes or places in it cannot be true';
  const text = error instanceof Error ? error.message : String(error);
  return [...text.matchAll(/\(\): (.+)$/gm)].at(-1)?.[1] ?? text.split('\n', 1)[0]!;
}
