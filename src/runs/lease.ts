// A lock is a lease: who holds it writes it anew every so often, and one that stays as it is for long enough has lapsed.
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type LockRecord, type SeenLock, seeLock } from './lock-record.ts';

/** In milliseconds. */
export interface LeaseTimes {
  /** Between two renewals. */
  readonly renew: number;
  /** After which a lock that was not renewed has lapsed. */
  readonly lapse: number;
  /** Between two looks of who waits for that. */
  readonly look: number;
}

export const leaseTimes: LeaseTimes = { renew: 15_000, lapse: 120_000, look: 1000 };

/** What the thread below runs. Opened without making it, the file stays away where somebody took it away. */
const renewal = `
const { closeSync, openSync, writeSync } = require('node:fs');
const { workerData } = require('node:worker_threads');
const { path, head, tail, renew } = workerData;
setInterval(() => {
  try {
    const file = openSync(path, 'r+');
    try {
      writeSync(file, head + new Date().toISOString() + tail, 0);
    } finally {
      closeSync(file);
    }
  } catch {}
}, renew);
`;

/**
 * Renews a lock file until it is stopped. It does so on a thread of its own: the reference interpreter, or learning a tokenizer, may
 * hold up this one for longer than a lease.
 */
export class Renewer {
  readonly #path: string;
  readonly #head: string;
  readonly #tail: string;
  readonly #thread: Worker;

  constructor(path: string, record: LockRecord, renew: number) {
    const text = formatRecord(record);
    const at = text.lastIndexOf(record.renewed);
    const [head, tail] = [text.slice(0, at), text.slice(at + record.renewed.length)];
    this.#path = path;
    this.#head = head;
    this.#tail = tail;
    const options = { eval: true, execArgv: [], workerData: { path, head, tail, renew } };
    this.#thread = new Worker(renewal, options);
    this.#thread.unref();
    // Where the system gives no further thread, `now` is what renews it.
    this.#thread.on('error', () => {});
  }

  /** Renews it in this moment. @throws what the file system says */
  async now(): Promise<void> {
    const file = await open(this.#path, 'r+');
    try {
      await file.write(`${this.#head}${new Date().toISOString()}${this.#tail}`, 0);
    } finally {
      await file.close();
    }
  }

  async stop(): Promise<void> {
    await this.#thread.terminate();
  }
}

export function formatRecord(record: LockRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/**
 * How long a lock must still stay as it is to have lapsed. Its age only shortens that, and never to less than two renewals: clocks of
 * two hosts may differ, and what counts is that nobody was seen to renew it.
 * @param age since it was written, by the clock of the file system
 */
export function timeToLapse(age: number, { renew, lapse }: LeaseTimes): number {
  return Math.min(lapse, Math.max(2 * renew, lapse - age));
}

/**
 * Looks at a lock until it has lapsed, is renewed or is gone.
 * @param wait milliseconds, counted in looks: a process that was itself suspended meanwhile has not seen that nothing happened
 * @throws the reason of the signal
 */
export async function outlast(
  seen: SeenLock,
  wait: number,
  look: number,
  signal: AbortSignal | undefined,
): Promise<'lapsed' | 'renewed' | 'gone'> {
  for (let waited = 0; waited < wait; waited += look) {
    await sleep(look, undefined, { signal });
    const now = await seeLock(seen.path);
    if (now === undefined) return 'gone';
    if (now.text !== seen.text || now.mtimeMs !== seen.mtimeMs) return 'renewed';
  }
  return 'lapsed';
}
