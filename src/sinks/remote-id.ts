// The remote run that a run folder belongs to: a resumed run goes on with it.
import { readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { replaceDurably } from '../host/durable.ts';
import { parseJsonObject } from '../formats/json.ts';

/** An id that is kept in a file of its own in a run's folder; it is no secret. */
export class RemoteId {
  readonly #path: string;

  /** @param service such as wandb, for wandb.json */
  constructor(run: string, service: string) {
    this.#path = join(run, `${service}.json`);
  }

  /** @throws RectiflowError where the file is damaged */
  async read(): Promise<string | undefined> {
    const bytes = await readFile(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    if (bytes === undefined) return undefined;
    const advice = `Remove it; ${basename(this.#path, '.json')} will then show a second run`;
    return String(parseJsonObject(bytes, this.#path, advice)['run']);
  }

  async write(run: string): Promise<void> {
    await replaceDurably(this.#path, `${JSON.stringify({ run })}\n`);
  }

  /** The next run is another one. */
  async forget(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}
