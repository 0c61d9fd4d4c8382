// Which process works on a run, for those who only want to know.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { leaseTimes } from './lease.ts';
import { type LockRecord, judge, seeLock } from './lock-record.ts';
import { LOCK_FILE } from './lock.ts';

/**
 * Who holds a run's folder; of a process that cannot be asked for from here, who renewed the lock of late. Nothing is changed.
 * @returns undefined where nobody does
 * @throws RectiflowError where a lock cannot be read
 */
export async function holderOf(run: string): Promise<LockRecord | undefined> {
  const names = await readdir(run).catch((): string[] => []);
  for (const name of names) {
    if (!LOCK_FILE.test(name)) continue;
    const path = join(run, name);
    const record = (await seeLock(path))?.record;
    const verdict = record ? await judge(record) : 'gone';
    if (verdict === 'alive' || (verdict === 'unknown' && (await isFresh(path)))) return record;
  }
  return undefined;
}

async function isFresh(path: string): Promise<boolean> {
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => Infinity,
  );
  return age < leaseTimes.lapse;
}
