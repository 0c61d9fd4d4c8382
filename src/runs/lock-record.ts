// Who holds a run folder, as its lock file says it, and whether that process still runs.
import { open, readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { fileError, systemProblem } from '../tensor/errors.ts';

/** The content of a lock file. Its length never changes: it is renewed in its place. */
export interface LockRecord {
  readonly pid: number;
  readonly host: string;
  /** The boot, and the PID namespace within it: who is told the same can ask for this pid. null where the system does not say. */
  readonly pidSpace: string | null;
  /** Tells a process from a later one with the same pid; null where the system does not say. */
  readonly started: string | null;
  /** Random, so that no two locks are alike. */
  readonly owner: string;
  /** ISO 8601, by the holder's clock, as is `renewed`. */
  readonly since: string;
  readonly renewed: string;
}

/** A lock file as it was found. */
export interface SeenLock {
  readonly path: string;
  readonly text: string;
  readonly mtimeMs: number;
  /** undefined where it is unreadable */
  readonly record: LockRecord | undefined;
}

/**
 * @returns undefined where it is gone
 * @throws RectiflowError where it cannot be read
 */
export async function seeLock(path: string): Promise<SeenLock | undefined> {
  try {
    // Opened anew each time: NFS asks its server then, and not its cache.
    const file = await open(path, 'r');
    try {
      const { mtimeMs } = await file.stat();
      const text = await file.readFile('utf8');
      return { path, text, mtimeMs, record: parseRecord(text) };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isGone(error)) return undefined;
    throw fileError(path, systemProblem(error), 'Check the disk, and who may read the lock', error);
  }
}

function parseRecord(text: string): LockRecord | undefined {
  try {
    const record = JSON.parse(text) as LockRecord;
    return Number.isInteger(record.pid) && typeof record.host === 'string' ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a path no longer leads to a file; ESTALE is what NFS says of one that another host removed. */
export function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ESTALE'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/**
 * Whether the process that wrote a record still runs: `unknown` where it cannot be asked for from here, because it is of another
 * host or container. Host names tell neither apart: they repeat, and change.
 */
export async function judge({
  pid,
  host,
  pidSpace,
  started,
}: LockRecord): Promise<'alive' | 'gone' | 'unknown'> {
  const canAsk =
    process.platform === 'linux'
      ? pidSpace !== null && pidSpace === (await ownPidSpace())
      : host === hostname();
  if (!canAsk) return 'unknown';
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it exists and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'gone';
  }
  const now = await processStart(pid);
  return started === null || now === null || now === started ? 'alive' : 'gone';
}

/** On Linux; null on other systems. */
export async function ownPidSpace(): Promise<string | null> {
  try {
    return `${await bootId()} ${await readlink('/proc/self/ns/pid')}`;
  } catch {
    return null;
  }
}

/**
 * When a process started, on Linux: the boot, and clock ticks since then. A killed one that its parent has not yet
 * collected has ended and gives another answer. null on other systems.
 */
export async function processStart(pid: number): Promise<string | null> {
  try {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in brackets, which may hold spaces and brackets; state is field 3, start time 22.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'ended' : `${await bootId()} ${fields[19]}`;
  } catch {
    return null;
  }
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
