import { join } from 'node:path';
import type { RunConfig } from '../config/config.ts';
import { RunFolder } from '../runs/run-folder.ts';
import { RectiflowError } from '../tensor/errors.ts';

/** The first of name, name-2, name-3, ... that is free. The folder's name becomes the run's. */
export async function createRun(runs: string, config: RunConfig): Promise<RunFolder> {
  for (let number = 1; ; number++) {
    const name = number === 1 ? config.name : `${config.name}-${number}`;
    try {
      return await RunFolder.create(join(runs, name), { ...config, name });
    } catch (error) {
      // Taken, perhaps by a process that began in this very moment.
      if (!(error instanceof RectiflowError) || error.code !== 'run') throw error;
    }
  }
}
