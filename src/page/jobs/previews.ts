// Pictures of the data that runs read, each drawn once.
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunPlace } from '../run-place.ts';
import { callInProcess } from './job-process.ts';
import type { WorkFolder } from './work-folder.ts';

export class Previews {
  readonly #folder: WorkFolder;
  readonly #stop = new AbortController();
  readonly #drawn = new Map<string, Promise<string>>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(folder: WorkFolder) {
    this.#folder = folder;
  }

  /** @throws Refusal where its data cannot be read, or are no pictures */
  async of({ path: run }: RunPlace): Promise<Uint8Array<ArrayBuffer>> {
    const { ino, mtimeMs } = await stat(join(run, 'config.json'));
    const key = `${run} ${ino} ${mtimeMs}`;
    const drawn = this.#drawn.get(key) ?? this.#draw(run);
    this.#drawn.set(key, drawn);
    // Data that were not there may be there later.
    drawn.catch(() => this.#drawn.delete(key));
    return new Uint8Array(await readFile(await drawn));
  }

  close(): void {
    this.#stop.abort(new Error('The server was ended.'));
  }

  /** One at a time. @returns the path of the picture */
  #draw(run: string): Promise<string> {
    const drawn = this.#last
      .catch(() => {})
      .then(async () => {
        const picture = await this.#folder.newFile('preview.png');
        await callInProcess({ kind: 'preview', run, picture }, { signal: this.#stop.signal });
        return picture;
      });
    this.#last = drawn;
    return drawn;
  }
}
