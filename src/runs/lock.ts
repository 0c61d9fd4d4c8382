import { randomBytes } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RectiflowError, runError } from '../tensor/errors.ts';
import { writeDurably } from '../host/durable.ts';
import { type LeaseTimes, Renewer, formatRecord, leaseTimes, outlast, timeToLapse } from './lease.ts';
import {
  type LockRecord,
  type SeenLock,
  isGone,
  judge,
  ownPidSpace,
  processStart,
  seeLock,
} from './lock-record.ts';

export interface RunLock {
  /** What the lock is told from all others by. */
  readonly owner: string;
  /**
   * Renews the lock, before something is written to the folder.
   * @throws RectiflowError of the code `run` where the folder is gone, or the lock in it
   */
  check(): Promise<void>;
  release(): Promise<void>;
}

/** Of who can wait for a lock to lapse. */
export interface Waiting {
  readonly signal?: AbortSignal | undefined;
  /** Is told whose lock is waited for, and until when. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

export interface LockOptions {
  /** Where it is left out, a lock is refused that may lapse. */
  readonly waiting?: Waiting | undefined;
  readonly times?: LeaseTimes;
}

/** What a lock file is called. */
export const LOCK_FILE: RegExp = /^lock-\d+-[0-9a-f]+\.json$/;
/** A lock that was not yet renamed into place. */
const UNFINISHED = /^lock-\d+-[0-9a-f]+\.json\.tmp$/;
const UNFINISHED_MILLISECONDS = 60_000;
const ATTEMPTS = 4;

/** A lock that keeps the folder from us. */
interface Holder extends SeenLock {
  /** Whether its process was asked for. */
  readonly isAlive: boolean;
  /** Milliseconds since it was written, by the clock of the file system. */
  readonly age: number;
}

/**
 * Makes sure that one process at a time writes to a run folder, on one host or on several that share it.
 *
 * Each process puts a lock file of its own there first and looks for others afterwards: of two that start together, the
 * later to look sees the other, so never do both go on, and no stale file has to be taken over, which cannot be done
 * atomically. When both give way they try again after a random time. A lock of this machine is stale when its process has
 * ended; one of another host or container, where that cannot be asked, when it was not renewed for two minutes.
 * @throws RectiflowError naming the process that holds the folder
 */
export async function lockRun(
  folder: string,
  { waiting, times = leaseTimes }: LockOptions = {},
): Promise<RunLock> {
  const owner = randomBytes(8).toString('hex');
  const path = join(folder, `lock-${process.pid}-${owner}.json`);
  const identity = {
    pid: process.pid,
    host: hostname(),
    pidSpace: await ownPidSpace(),
    started: await processStart(process.pid),
    owner,
  };
  for (let attempt = 1; ; attempt++) {
    const now = new Date().toISOString();
    const record = { ...identity, since: now, renewed: now };
    await writeDurably(`${path}.tmp`, [Buffer.from(formatRecord(record))]);
    await rename(`${path}.tmp`, path);
    const holder = await findHolder(folder, path);
    if (holder === undefined) return hold(folder, path, record, times);
    await rm(path, { force: true });
    if (waiting && !holder.isAlive) await waitFor(folder, holder, times, waiting);
    else if (attempt === ATTEMPTS) throw inUse(folder, holder, times);
    await sleep(20 + 100 * Math.random());
  }
}

function hold(folder: string, path: string, record: LockRecord, times: LeaseTimes): RunLock {
  const renewer = new Renewer(path, record, times.renew);
  return {
    owner: record.owner,
    async check() {
      try {
        await renewer.now();
      } catch (error) {
        // A disk that is full, or read-only for now, takes nobody's lock away.
        if (isGone(error)) throw await describeLoss(folder);
      }
    },
    async release() {
      await renewer.stop();
      // One that stays, on a disk that is read-only by now, is that of a process that has ended.
      await rm(path, { force: true }).catch(() => {});
    },
  };
}

/** Removes the locks of processes that are gone. @returns the first of another process that is not, or may not be */
async function findHolder(folder: string, own: string): Promise<Holder | undefined> {
  const now = (await stat(own)).mtimeMs;
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (UNFINISHED.test(name)) await removeUnfinished(path, now);
    if (!LOCK_FILE.test(name) || path === own) continue;
    const seen = await seeLock(path);
    if (seen === undefined) continue;
    const verdict = seen.record ? await judge(seen.record) : 'unknown';
    if (verdict !== 'gone') return { ...seen, isAlive: verdict === 'alive', age: now - seen.mtimeMs };
    await rm(path, { force: true });
  }
  return undefined;
}

/** A process that was killed while it made its lock cannot be told from one that is making it now, but by age. */
async function removeUnfinished(path: string, now: number): Promise<void> {
  const age = await stat(path).then(
    ({ mtimeMs }) => now - mtimeMs,
    () => 0,
  );
  if (age > UNFINISHED_MILLISECONDS) await rm(path, { force: true });
}

/** @throws RectiflowError where the lock is renewed meanwhile, or the signal comes */
async function waitFor(
  folder: string,
  holder: Holder,
  times: LeaseTimes,
  { signal, onNotice }: Waiting,
): Promise<void> {
  const wait = timeToLapse(holder.age, times);
  onNotice?.(
    `${folder}: is held by ${describe(holder)}. Whether that still runs cannot be asked from here, so this waits until ` +
      `${clock(wait)}, and goes on if the lock is not renewed by then. Where you know that it has ended, delete ${holder.path} and start again.`,
  );
  const outcome = await outlast(holder, wait, times.look, signal).catch((error: unknown) => {
    if (!signal?.aborted) throw error;
    throw runError(folder, `is held by ${describe(holder)}`, 'The wait for it was stopped; resume it later');
  });
  if (outcome === 'renewed') throw inUse(folder, { ...holder, age: 0 }, times);
  if (outcome === 'lapsed') await rm(holder.path, { force: true });
}

function inUse(folder: string, holder: Holder, times: LeaseTimes): RectiflowError {
  const { record, path, isAlive, age } = holder;
  if (record === undefined)
    return runError(folder, `the lock ${path} is unreadable`, 'Delete it if no run is active');
  const who = `is in use by process ${record.pid} on ${record.host}, since ${record.since}`;
  if (isAlive) return runError(folder, who, 'Wait for it or stop it');
  const lapse = `its lock ${path} lapses at ${clock(timeToLapse(age, times))} if it is not renewed`;
  return runError(folder, `${who}, and renewed its lock ${ago(age)}`, `Wait for it or stop it; ${lapse}`);
}

/** `process 12 on ada, whose lock was renewed 3 s ago` */
function describe({ record, path, age }: Holder): string {
  if (record === undefined) return `a process whose lock ${path} is unreadable`;
  return `process ${record.pid} on ${record.host}, whose lock was renewed ${ago(age)}`;
}

function ago(milliseconds: number): string {
  return `${Math.max(0, Math.round(milliseconds / 1000))} s ago`;
}

/** The time of day in so many milliseconds. */
function clock(milliseconds: number): string {
  return new Date(Date.now() + milliseconds).toTimeString().slice(0, 8);
}

async function describeLoss(folder: string): Promise<RectiflowError> {
  const advice = 'This process ends, and writes nothing more there';
  const names = await readdir(folder).catch(() => undefined);
  if (names === undefined) {
    const problem = 'the run folder is gone: it was deleted or renamed, or its disk was taken away';
    return runError(folder, problem, `${advice}; under another name the run can be resumed`);
  }
  for (const name of names) {
    const record = LOCK_FILE.test(name) ? (await seeLock(join(folder, name)))?.record : undefined;
    if (record === undefined) continue;
    const other = `process ${record.pid} on ${record.host}`;
    return runError(folder, `the lock of this process is gone, and ${other} holds the folder now`, advice);
  }
  const problem = 'the lock of this process was deleted, or the folder replaced by another';
  return runError(folder, problem, `${advice}; if the run is there, resume it`);
}
