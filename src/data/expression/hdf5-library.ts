// The HDF5 library and what it can reach. Files of its format may refer to other files (external links, external storage, virtual
// datasets, filters as plugins), and damaged ones may keep it busy without end. So while it reads, it sees no files but those that
// it was given, under names that no file can guess, and each call ends in a stated time.
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Script, createContext } from 'node:vm';
import type { File } from 'h5wasm/node';
import { RectiflowError, fileError } from '../../tensor/errors.ts';

export type Hdf5Library = typeof import('h5wasm/node');

/** Of a call, most of which take less than a second. */
const TIME_LIMIT_MS = 20_000;

interface Stream {
  readonly path: string;
}

/** The part of emscripten's file system that is used here; with h5wasm in Node.js it is that of the machine. */
interface FileSystem extends Record<string, unknown> {
  open(path: string, flags: number, mode?: number): Stream;
  unlink(path: string): void;
  ErrnoError: new (errno: number) => Error;
}

/** Its functions that take a path and look what is there, and those that change what is there. */
const LOOKING = ['stat', 'lstat', 'statfs', 'lookupPath', 'readdir', 'readlink'];
const CHANGING = 'mknod mkdir symlink rename rmdir truncate utime chdir chmod lchmod chown lchown'.split(' ');
const NO_SUCH_FILE = 44;
const FLAG = { exclusive: 128, directory: 65536 } as const;

/** Paths by the names that the library knows them by. */
const given = new Map<string, string>();
/** Whether a file is being read. Those who write, and programs that use the library themselves, see the file system as it is. */
let isReading = false;
/** What the library wanted to open beside the given files in the call that is under way. */
let outside: string | undefined;
/** The file during whose reading it had to be stopped: it cannot be used again. */
let stoppedBy: string | undefined;

/**
 * Loaded when the first file is opened: it has 4 MB.
 * @throws RectiflowError when it had to be stopped before
 */
export async function loadLibrary(): Promise<Hdf5Library> {
  checkUsable();
  const library = await import('h5wasm/node');
  const module = await library.ready;
  // Without it errors are printed, and what was not read is whatever the memory held.
  module.activate_throwing_error_handler();
  closeFileSystem(module.FS as unknown as FileSystem);
  return library;
}

function checkUsable(): void {
  if (stoppedBy === undefined) return;
  throw fileError(
    stoppedBy,
    'the HDF5 library was stopped while it read this file',
    'Start the program again',
  );
}

const closed = new WeakSet<FileSystem>();

function closeFileSystem(system: FileSystem): void {
  if (closed.has(system)) return;
  closed.add(system);
  const { open, unlink } = system;
  // What the library says of an error goes through a temporary file.
  const own = new Set<string>();
  const refuse = (): never => {
    throw new system.ErrnoError(NO_SUCH_FILE);
  };
  for (const name of CHANGING) {
    const usual = system[name] as (...parts: unknown[]) => unknown;
    system[name] = (...parts: unknown[]) => (isReading ? refuse() : usual(...parts));
  }
  for (const name of LOOKING) {
    const usual = system[name] as (path: string, options: unknown) => unknown;
    system[name] = (path: string, options: unknown) => {
      const real = isReading ? given.get(path) : path;
      if (real === undefined) return refuse();
      // One of these calls another.
      const wasReading = isReading;
      isReading = false;
      try {
        return usual(real, options);
      } finally {
        isReading = wasReading;
      }
    };
  }
  system.unlink = (path) => (isReading && !own.delete(path) ? refuse() : unlink(path));
  system.open = (path, flags, mode) => {
    const isNew = (flags & FLAG.exclusive) !== 0;
    const real = isReading && !isNew ? given.get(path) : path;
    if (isReading && isNew) own.add(path);
    if (real !== undefined) return open(real, flags, mode);
    // Folders are looked into for plugins, which are not wanted either.
    if ((flags & FLAG.directory) === 0) outside = path;
    return refuse();
  };
}

/**
 * Opens a file to read with the library, which reaches it and no other. What reads it stands within `guard`.
 * @throws RectiflowError when it cannot be opened
 */
export async function openFile(path: string): Promise<{ file: File; close: () => void }> {
  const { File: H5File } = await loadLibrary();
  const name = `/${randomUUID()}.h5`;
  // Absolute: the library has a working folder of its own.
  given.set(name, resolve(path));
  try {
    const file = guard(path, 'cannot be opened', () => new H5File(name, 'r'));
    return {
      file,
      close() {
        if (stoppedBy === undefined) file.close();
        given.delete(name);
      },
    };
  } catch (error) {
    given.delete(name);
    throw error;
  }
}

const context = createContext({});
const call = new Script('action()');

/**
 * Runs what calls the library; what it throws becomes an error that says what went wrong with which file. One that takes longer
 * than that is stopped: a chain of blocks that comes back to itself has no end.
 * @param problem as the message of an error begins
 * @throws RectiflowError also where the file refers to another one
 */
export function guard<T>(path: string, problem: string, action: () => T): T {
  checkUsable();
  const wasReading = isReading;
  outside = undefined;
  isReading = true;
  try {
    context['action'] = action;
    const result = call.runInContext(context, { timeout: TIME_LIMIT_MS }) as T;
    if (outside === undefined) return result;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
      stoppedBy = path;
      const why = `${problem}: it took longer than ${TIME_LIMIT_MS / 1000} s, as only damaged files do`;
      throw fileError(path, why, 'Fetch or write the file again', error);
    }
    if (outside === undefined) {
      if (error instanceof RectiflowError) throw error;
      throw fileError(path, `${problem}: ${reasonOf(error)}`, 'Fetch or write the file again', error);
    }
  } finally {
    isReading = wasReading;
  }
  throw outsideError(path, problem, outside);
}

/** @param what is read of the file, with a verb: `X cannot be read` */
export function outsideError(path: string, what: string, target: string): Error {
  const why = `${what}: it is kept in another file (${target}), and nothing outside of the file itself is read`;
  return fileError(
    path,
    why,
    'If you trust it, read it with anndata in Python and write it again as one file',
  );
}

/** HDF5 prints its stack outermost first: the last line says what went wrong. Of others, what is no fault of their own. */
function reasonOf(error: unknown): string {
  if (error instanceof RangeError) return 'sizes or places in it cannot be true';
  const text = error instanceof Error ? error.message : String(error);
  return [...text.matchAll(/\(\): (.+)$/gm)].at(-1)?.[1] ?? text.split('\n', 1)[0]!;
}
