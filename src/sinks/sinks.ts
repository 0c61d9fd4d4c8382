import { setTimeout } from 'node:timers/promises';
import { printable } from '../tensor/printable.ts';
import { BoundedQueue } from './bounded-queue.ts';
import { histogramsOf } from './histogram.ts';
import type { MetricSink, SinkStart } from './metric-sink.ts';
import type { RunOutcome } from '../train/run-log.ts';
import { withoutPasswords } from './secrets.ts';

export interface SinksOptions {
  readonly onNotice: (text: string) => void;
  /** How long a sink may take to flush before a checkpoint, and to end. */
  readonly patienceMs?: number;
}

/** Calls of one sink that may wait. */
const waitingCalls = 1000;

/** The sinks of a run. None of the methods throws, and only `sync` and `close` wait, for so long and no longer. */
export class Sinks {
  readonly #lanes: readonly Lane[];
  readonly #patienceMs: number;

  constructor(sinks: readonly MetricSink[], run: SinkStart, { onNotice, patienceMs = 5000 }: SinksOptions) {
    this.#lanes = sinks.map((sink) => new Lane(sink, onNotice));
    this.#patienceMs = patienceMs;
    const start = { ...run, config: withoutPasswords(run.config) };
    this.#each((sink) => sink.start?.(start), true);
  }

  /** @param values by tag, such as `train/loss` */
  scalars(step: number, values: Readonly<Record<string, number>>): void {
    this.#each((sink) => sink.scalars?.(step, values));
  }

  /** @param values by tag: those whose spread is shown */
  histograms(step: number, values: Readonly<Record<string, Iterable<number>>>): void {
    const histograms = histogramsOf(values);
    this.#each((sink) => sink.histograms?.(step, histograms));
  }

  /** @param path of a PNG file, grey or RGB, that stays where it is */
  image(step: number, tag: string, path: string): void {
    this.#each((sink) => sink.image?.(step, tag, path));
  }

  /** Training went back to a checkpoint, and goes on after `step`. */
  goBack(step: number): void {
    this.#each((sink) => sink.goBack?.(step), true);
  }

  notice(step: number, text: string): void {
    const line = printable(text);
    this.#each((sink) => sink.notice?.(step, line));
  }

  /** Flushes to the disk what has to be there before a checkpoint. */
  async sync(): Promise<void> {
    const lanes = this.#lanes.filter(({ sink }) => sink.sync);
    await Promise.all(
      lanes.map(async (lane) => {
        lane.add((sink) => sink.sync?.());
        if (!(await lane.isIdleWithin(this.#patienceMs))) lane.giveUp('it does not flush');
      }),
    );
  }

  async close(outcome: RunOutcome): Promise<void> {
    await Promise.all(
      this.#lanes.map(async (lane) => {
        const impatience = new AbortController();
        lane.add((sink) => sink.end?.(outcome, impatience.signal));
        if (await lane.isIdleWithin(this.#patienceMs)) return;
        lane.giveUp('it did not take its last records in time');
        impatience.abort();
      }),
    );
  }

  /** @param isKept what comes after it means something else without it: it waits however much waits */
  #each(call: Call, isKept = false): void {
    for (const lane of this.#lanes) lane.add(call, isKept);
  }
}

type Call = (sink: MetricSink) => void | Promise<void>;

/** One sink, and the calls that wait for it. */
class Lane {
  readonly sink: MetricSink;
  readonly #calls: BoundedQueue<Call>;
  readonly #onNotice: (text: string) => void;
  #work: Promise<void> | undefined;
  #isOver = false;

  constructor(sink: MetricSink, onNotice: (text: string) => void) {
    this.sink = sink;
    this.#onNotice = onNotice;
    this.#calls = new BoundedQueue(waitingCalls, () =>
      onNotice(`${sink.name} is slower than the run, so the oldest of its records are left out.`),
    );
  }

  add(call: Call, isKept = false): void {
    if (this.#isOver) return;
    this.#calls.push(call, isKept);
    this.#work ??= this.#callAll();
  }

  async isIdleWithin(milliseconds: number): Promise<boolean> {
    if (this.#isOver || !this.#work) return true;
    const timer = new AbortController();
    const late = setTimeout(milliseconds, false, { signal: timer.signal }).catch(() => false);
    const isIdle = await Promise.race([this.#work.then(() => true), late]);
    timer.abort();
    return isIdle;
  }

  /** Tells why, once; the sink is asked for nothing more. */
  giveUp(problem: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const consequence = 'Training goes on without it, and metrics.jsonl has the same numbers.';
    this.#onNotice(`${this.sink.name} gets no more metrics: ${problem.replace(/\.$/, '')}. ${consequence}`);
  }

  async #callAll(): Promise<void> {
    try {
      for (let call = this.#calls.shift(); call && !this.#isOver; call = this.#calls.shift()) {
        await call(this.sink);
      }
    } catch (error) {
      this.giveUp(error instanceof Error ? error.message : String(error));
    }
    this.#work = undefined;
  }
}
