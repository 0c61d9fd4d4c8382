import { randomBytes } from 'node:crypto';
import { readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runError } from '../tensor/errors.ts';
import { writeDurably } from './durable.ts';

/** Who works in a run folder. */
export interface LockRecord {
  readonly pid: number;
  readonly host: string;
  /** Tells a process from a later one with the same pid; null where the system does not say. */
  readonly started: string | null;
  /** ISO 8601. */
  readonly since: string;
}

export interface RunLock {
  release(): Promise<void>;
}

const LOCK_FILE = /^lock-\d+-[0-9a-f]+\.json$/;
/** A lock that was not yet renamed into place. */
const UNFINISHED = /^lock-\d+-[0-9a-f]+\.json\.tmp$/;
const UNFINISHED_MILLISECONDS = 60_000;
const ATTEMPTS = 4;

/**
 * Makes sure that one process at a time writes to a run folder.
 *
 * Each process puts a lock file of its own there first and looks for others afterwards: of two that start together, the
 * later to look sees the other, so never do both go on, and no stale file has to be taken over, which cannot be done
 * atomically. When both give way they try again after a random time.
 * @throws RectiflowError naming the process that holds the folder
 */
export async function lockRun(folder: string): Promise<RunLock> {
  const own = `lock-${process.pid}-${randomBytes(4).toString('hex')}.json`;
  const path = join(folder, own);
  const record: LockRecord = {
    pid: process.pid,
    host: hostname(),
    started: await processStart(process.pid),
    since: new Date().toISOString(),
  };
  for (let attempt = 1; ; attempt++) {
    await writeDurably(`${path}.tmp`, [Buffer.from(`${JSON.stringify(record)}\n`)]);
    await rename(`${path}.tmp`, path);
    const refusal = await findHolder(folder, own);
    if (refusal === undefined) {
      await removeUnfinished(folder);
      return { release: () => rm(path, { force: true }) };
    }
    await rm(path, { force: true });
    if (attempt === ATTEMPTS) throw refusal;
    await sleep(20 + 100 * Math.random());
  }
}

/** Removes the locks of processes that are gone. @returns the error to throw when another process is not */
async function findHolder(folder: string, own: string): Promise<Error | undefined> {
  for (const name of await readdir(folder)) {
    if (!LOCK_FILE.test(name) || name === own) continue;
    const path = join(folder, name);
    const record = await readLock(path);
    if (record === 'gone') continue;
    if (record === 'unreadable')
      return runError(folder, `the lock ${path} is unreadable`, 'Delete it if no run is active');
    if (await isAlive(record)) {
      const { pid, host, since } = record;
      const away = host === hostname() ? '' : `, or delete ${path} if it no longer runs there`;
      return runError(
        folder,
        `is in use by process ${pid} on ${host}, since ${since}`,
        `Wait for it or stop it${away}`,
      );
    }
    await rm(path, { force: true });
  }
  return undefined;
}

/** A process that was killed while it made its lock cannot be told from one that is making it now, but by age. */
async function removeUnfinished(folder: string): Promise<void> {
  for (const name of (await readdir(folder)).filter((candidate) => UNFINISHED.test(candidate))) {
    const path = join(folder, name);
    const age = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > UNFINISHED_MILLISECONDS) await rm(path, { force: true });
  }
}

async function readLock(path: string): Promise<LockRecord | 'gone' | 'unreadable'> {
  try {
    const { pid, host, started, since } = JSON.parse(await readFile(path, 'utf8')) as LockRecord;
    return Number.isInteger(pid) && typeof host === 'string' ? { pid, host, started, since } : 'unreadable';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'gone' : 'unreadable';
  }
}

/** Whether the process that wrote the record still runs; on another host, which cannot be asked, it counts as running. */
async function isAlive({ pid, host, started }: LockRecord): Promise<boolean> {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it exists and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const now = await processStart(pid);
  return started === null || now === null || now === started;
}

/**
 * When a process started, on Linux: the boot, and clock ticks since then. A killed one that its parent has not yet
 * collected has ended and gives another answer. null on other systems.
 */
export async function processStart(pid: number): Promise<string | null> {
  try {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8');
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    // The second field is the name in brackets, which may hold spaces and brackets; state is field 3, start time 22.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'ended' : `${boot.trim()} ${fields[19]}`;
  } catch {
    return null;
  }
}
