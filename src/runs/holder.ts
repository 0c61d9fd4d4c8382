// Who holds a run, for those who only look: nothing is written, and no stale lock is removed.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { leaseTimes } from './lease.ts';
import { type LockRecord, judge, seeLock } from './lock-record.ts';
import { LOCK_FILE } from './lock.ts';

/** What the locks in a run's folder say. */
export interface SeenHolder {
  /**
   * held: a process has the run; one of another host or container counts as long as it renews its lock. lapsed: the process that had it
   * ended without giving it back. free: nobody has it.
   */
  readonly state: 'held' | 'lapsed' | 'free';
  /** Whose lock that is, where one is there that can be read. */
  readonly record?: LockRecord;
}

/**
 * @param names of what is in the folder
 * @throws RectiflowError where a lock is there and cannot be read
 */
export async function seeHolder(folder: string, names: readonly string[]): Promise<SeenHolder> {
  let seen: SeenHolder = { state: 'free' };
  for (const name of names) {
    if (!LOCK_FILE.test(name)) continue;
    const lock = await seeLock(join(folder, name));
    if (lock === undefined) continue;
    const { record, mtimeMs } = lock;
    const verdict = record ? await judge(record) : 'unknown';
    const isFresh = verdict === 'unknown' && (await clockOf(folder)) - mtimeMs < leaseTimes.lapse;
    if (verdict === 'alive' || isFresh) return { state: 'held', ...(record && { record }) };
    seen = { state: 'lapsed', ...(record && { record }) };
  }
  return seen;
}

/**
 * Now, in milliseconds. By this machine's clock, but never before what the folder has seen by that of its file system: an old lock is
 * told by both.
 */
async function clockOf(folder: string): Promise<number> {
  return Math.max(Date.now(), (await stat(folder)).mtimeMs);
}
