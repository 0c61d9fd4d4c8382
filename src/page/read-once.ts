import { stat } from 'node:fs/promises';

interface Known<T> {
  readonly mark: string;
  readonly said: T;
}

/** Files, or folders, of which little is read, and nothing again that has not changed. */
export class ReadOnce<T> {
  readonly #read: (path: string) => Promise<T>;
  readonly #known = new Map<string, Known<T>>();
  #reads = 0;

  constructor(read: (path: string) => Promise<T>) {
    this.#read = read;
  }

  /** How often something was read. */
  get reads(): number {
    return this.#reads;
  }

  /** @param run whose file it is: what it said before is forgotten with its run */
  async of(run: string, path: string): Promise<T> {
    const mark = await markOf(path);
    const before = this.#known.get(run);
    if (before?.mark === mark) return before.said;
    this.#reads++;
    const said = await this.#read(path);
    this.#known.set(run, { mark, said });
    return said;
  }

  /** Forgets the runs that are gone. */
  keep(runs: ReadonlySet<string>): void {
    for (const run of this.#known.keys()) if (!runs.has(run)) this.#known.delete(run);
  }
}

async function markOf(path: string): Promise<string> {
  return stat(path).then(
    ({ ino, size, mtimeMs }) => `${ino}:${size}:${mtimeMs}`,
    () => '-',
  );
}
