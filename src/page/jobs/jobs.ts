// Jobs that the page has asked for: one runs at a time, the others wait.
import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import type { Job, JobKind, Json } from '../contract.ts';
import { Refusal, failureOf } from '../refusal.ts';
import type { JobCall } from './calls.ts';
import { callInProcess } from './job-process.ts';

/** How many that are over are remembered. */
const kept = 50;
const mostNotices = 100;

interface Entry {
  job: Job;
  readonly call: JobCall;
  readonly stop: AbortController;
  readonly heard: Set<(job: Job) => void>;
}

export class Jobs {
  readonly #entries = new Map<string, Entry>();
  readonly #tell: (text: string) => void;
  #last: Promise<void> = Promise.resolve();

  /** @param tell hears of what went wrong by a fault of the program */
  constructor(tell: (text: string) => void) {
    this.#tell = tell;
  }

  /** @param run the name of the run, of a job that is of one */
  start(kind: JobKind, run: string | null, call: JobCall): Job {
    const job: Job = {
      id: randomUUID(),
      kind,
      run,
      started: new Date().toISOString(),
      state: 'waiting',
      progress: { what: '', done: 0, total: 0 },
      notices: [],
      result: null,
      error: null,
    };
    const entry: Entry = { job, call, stop: new AbortController(), heard: new Set() };
    this.#entries.set(job.id, entry);
    this.#forgetOld();
    this.#last = this.#last.then(() => this.#run(entry));
    return job;
  }

  list(): Job[] {
    return [...this.#entries.values()].map(({ job }) => job);
  }

  /** @throws Refusal where there is no such job */
  get(id: string): Job {
    return this.#entry(id).job;
  }

  /** Hears of the job whenever it changes. @returns ends that */
  listen(id: string, hear: (job: Job) => void): () => void {
    const { heard } = this.#entry(id);
    heard.add(hear);
    return () => heard.delete(hear);
  }

  /** Stops one that waits or runs. */
  stop(id: string): Job {
    const entry = this.#entry(id);
    entry.stop.abort(new Refusal(409, 'The job was stopped.'));
    if (entry.job.state === 'waiting') this.#change(entry, { state: 'stopped' });
    return entry.job;
  }

  /** The PNG of a job that makes one and is done. */
  async picture(id: string): Promise<Uint8Array<ArrayBuffer>> {
    const { job, call } = this.#entry(id);
    const path = 'picture' in call ? call.picture : undefined;
    if (job.state !== 'done' || path === undefined)
      throw new Refusal(404, 'This job has no picture, or is not done yet.');
    return new Uint8Array(await readFile(path));
  }

  close(): void {
    for (const { stop } of this.#entries.values()) stop.abort(new Refusal(409, 'The server was ended.'));
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new Refusal(404, 'There is no such job any more.');
    return entry;
  }

  async #run(entry: Entry): Promise<void> {
    if (isOver(entry.job)) return;
    this.#change(entry, { state: 'running' });
    try {
      const result = await callInProcess(entry.call, {
        signal: entry.stop.signal,
        onProgress: (what, done, total) => this.#change(entry, { progress: { what, done, total } }),
        onNotice: (text) =>
          this.#change(entry, { notices: [...entry.job.notices, text].slice(-mostNotices) }),
      });
      this.#change(entry, { state: 'done', result: result as Json });
    } catch (error) {
      const isStopped = entry.stop.signal.aborted;
      const { body } = failureOf(error, this.#tell);
      this.#change(entry, isStopped ? { state: 'stopped' } : { state: 'failed', error: body.error });
    }
  }

  #change(entry: Entry, change: Partial<Job>): void {
    entry.job = { ...entry.job, ...change };
    for (const hear of entry.heard) hear(entry.job);
  }

  #forgetOld(): void {
    const over = [...this.#entries.values()].filter(({ job }) => isOver(job));
    for (const { job, call } of over.slice(0, Math.max(0, over.length - kept))) {
      this.#entries.delete(job.id);
      if ('picture' in call) void rm(call.picture, { force: true });
    }
  }
}

export function isOver({ state }: Job): boolean {
  return state === 'done' || state === 'failed' || state === 'stopped';
}
