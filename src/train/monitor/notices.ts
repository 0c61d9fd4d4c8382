import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainObserver } from '../metrics.ts';

/**
 * Tells the observer, and writes the same into notices.log of the run, for who looks later. A disk that is full ends no run for
 * the sake of a notice.
 */
export async function giveNotices(
  run: string,
  step: number,
  texts: readonly string[],
  { onNotice }: Pick<TrainObserver, 'onNotice'>,
): Promise<void> {
  for (const text of texts) {
    onNotice?.(text);
    await appendFile(join(run, 'notices.log'), `step ${step}: ${text}\n`).catch(() => {});
  }
}
