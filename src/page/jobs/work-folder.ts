// Where the server keeps files of its own while it runs.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class WorkFolder {
  #folder: Promise<string> | undefined;

  /** A path for a file of this name, in a folder that nothing else is in. */
  async newFile(name: string): Promise<string> {
    this.#folder ??= mkdtemp(join(tmpdir(), 'rectiflow-page-'));
    return join(await mkdtemp(join(await this.#folder, 'work-')), name);
  }

  async remove(): Promise<void> {
    if (this.#folder) await rm(await this.#folder, { recursive: true, force: true });
  }
}
