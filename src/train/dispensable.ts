import { RectiflowError } from '../tensor/errors.ts';
import type { RunStore } from './run-store.ts';

/** Writes what a run can do without: where it cannot be written, on a full disk, say, that is told. @throws where the run itself is gone */
export async function writeOrTell<T>(
  store: RunStore,
  onNotice: (text: string) => void,
  write: () => Promise<T>,
): Promise<T | undefined> {
  await store.mend(onNotice);
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof RectiflowError) || error.code !== 'file') throw error;
    await store.check();
    onNotice(error.message);
    return undefined;
  }
}
