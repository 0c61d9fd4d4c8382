// The runs that this browser keeps for the pages of this origin.
import { type KeptFolder, MemoryFolder, filesIn } from '../../../src/kept/folder.ts';
import type { KeptConfig } from '../../../src/kept/config.ts';
import type { RunData } from '../../../src/kept/data.ts';
import { KeptRun } from '../../../src/kept/run.ts';
import { runError } from '../../../src/tensor/errors.ts';
import { canHash } from '../../../src/tensor/sha256.ts';
import { describeBrowser, version } from './host.ts';
import { OriginFolder, namesIn } from './origin-folder.ts';

/** The folder of the storage that has a folder for each run. */
const RUNS = 'rectiflow-runs';

/** A run that nobody else works on until it is released. */
export interface HeldRun {
  readonly run: KeptRun;
  readonly folder: KeptFolder;
  release(): void;
}

export interface RunSummary {
  readonly name: string;
  /** ISO 8601. */
  readonly created: string;
  /** Of the last whole checkpoint; undefined where there is none. */
  readonly step: number | undefined;
  readonly steps: number;
  /** Of all its files. */
  readonly bytes: number;
}

/** Folders by the names of runs. */
interface Root {
  names(): Promise<string[]>;
  folder(name: string): Promise<KeptFolder>;
  remove(name: string): Promise<void>;
}

export class KeptRuns {
  /** Why runs are lost with the tab; undefined where they are kept. */
  readonly lostBecause: string | undefined;
  readonly #root: Root;

  private constructor(root: Root, lostBecause?: string) {
    this.#root = root;
    this.lostBecause = lostBecause;
  }

  /**
   * In a worker, where files are written in place; elsewhere each is copied first. Where a browser has no storage, runs are in memory.
   * @throws RectiflowError on a page of http:, to which browsers give neither storage nor checksums
   */
  static async open(): Promise<KeptRuns> {
    if (!canHash()) {
      const problem = 'is of http:, and browsers give such a page neither storage nor checksums';
      throw runError('this page', problem, 'Open it by https:, or from localhost');
    }
    try {
      const storage = await navigator.storage.getDirectory();
      return new KeptRuns(originRoot(await storage.getDirectoryHandle(RUNS, { create: true })));
    } catch (error) {
      return new KeptRuns(
        memoryRoot(),
        `this browser gives the page no storage (${(error as Error).message})`,
      );
    }
  }

  /** Whole ones, the newest first. */
  async list(): Promise<RunSummary[]> {
    const runs: RunSummary[] = [];
    for (const name of await this.#root.names()) {
      const folder = await this.#root.folder(name);
      // Of a start that was cut nothing is a run, and of one that is damaged nothing can be told but that it is there.
      const run = await KeptRun.open(folder).catch(() => undefined);
      if (run === undefined) continue;
      const { created } = run.record;
      const step = (await run.checkpoints()).at(-1);
      runs.push({ name, created, step, steps: run.config.train.steps, bytes: await bytesOf(folder) });
    }
    return runs.toSorted((a, b) => b.created.localeCompare(a.created));
  }

  /**
   * Starts a run under the config's name, or the first of name-2, name-3, ... that is free, which becomes the run's.
   * @throws RectiflowError as `KeptRun.create` does
   */
  async create(config: KeptConfig, data: RunData): Promise<HeldRun> {
    for (let number = 1; ; number++) {
      const name = number === 1 ? config.name : `${config.name}-${number}`;
      if ((await this.#root.names()).includes(name)) continue;
      const release = await held(name);
      // Another tab may have been faster.
      if (release === undefined) continue;
      try {
        const folder = await this.#root.folder(name);
        const named = { ...config, name };
        const machine = describeBrowser();
        return {
          run: await KeptRun.create(folder, { config: named, data, version, machine }),
          folder,
          release,
        };
      } catch (error) {
        await this.#root.remove(name).catch(() => {});
        release();
        throw error;
      }
    }
  }

  /** Takes up a run again. @throws RectiflowError where another tab works on it, or it is no run */
  async open(name: string): Promise<HeldRun> {
    const release = await this.#hold(name);
    try {
      const folder = await this.#root.folder(name);
      return { run: await KeptRun.open(folder), folder, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Removes a run and all its files. @throws RectiflowError where another tab works on it */
  async remove(name: string): Promise<void> {
    const release = await this.#hold(name);
    try {
      await this.#root.remove(name);
    } finally {
      release();
    }
  }

  /** Bytes that this origin has taken and may take; undefined where the browser does not tell. */
  async room(): Promise<{ readonly used: number; readonly most: number } | undefined> {
    const { usage, quota } = (await navigator.storage?.estimate?.()) ?? {};
    return usage === undefined || quota === undefined ? undefined : { used: usage, most: quota };
  }

  async #hold(name: string): Promise<() => void> {
    if (!(await this.#root.names()).includes(name))
      throw runError(name, 'is not kept by this browser', 'Choose one that is, or begin a new one');
    const release = await held(name);
    if (release) return release;
    throw runError(name, 'is open in another tab', 'Go on with it there, or close that tab');
  }
}

/** Until it is released, or the tab ends, the run is ours. @returns undefined where it is another's */
function held(name: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(`${RUNS}/${name}`, { ifAvailable: true }, (lock) => {
        if (lock === null) return resolve(undefined);
        return new Promise<void>((release) => resolve(release));
      })
      .catch(reject);
  });
}

async function bytesOf(folder: KeptFolder): Promise<number> {
  let bytes = 0;
  for (const file of await filesIn(folder)) bytes += (await folder.size(file)) ?? 0;
  return bytes;
}

function originRoot(root: FileSystemDirectoryHandle): Root {
  return {
    names: () => namesIn(root),
    folder: async (name) => new OriginFolder(name, await root.getDirectoryHandle(name, { create: true })),
    remove: (name) => root.removeEntry(name, { recursive: true }),
  };
}

function memoryRoot(): Root {
  const folders = new Map<string, KeptFolder>();
  return {
    names: async () => [...folders.keys()],
    async folder(name) {
      const folder = folders.get(name) ?? new MemoryFolder(name);
      folders.set(name, folder);
      return folder;
    },
    async remove(name) {
      folders.delete(name);
    },
  };
}
