import { setTimeout } from 'node:timers/promises';
import { BoundedQueue } from './bounded-queue.ts';
import type { Histogram } from './histogram.ts';
import { RequestError } from './http.ts';
import type { MetricSink, SinkStart } from './metric-sink.ts';
import type { RunOutcome } from '../train/run-log.ts';

/** Something to be sent. */
export type RemoteEvent = {
  readonly step: number;
  /** In milliseconds since 1970, when it happened. */
  readonly time: number;
} & (
  | { readonly kind: 'scalars'; readonly values: Readonly<Record<string, number>> }
  | { readonly kind: 'histograms'; readonly values: Readonly<Record<string, Histogram>> }
  | { readonly kind: 'image'; readonly tag: string; readonly path: string }
  | { readonly kind: 'notice'; readonly text: string }
);

/** A run on a server. Whatever fails may be asked for again, with the same arguments: that must not change the outcome. */
export interface RemoteRun {
  readonly name: string;
  /** Finds the run that was begun before, or begins one. @returns the last step that it has; 0 for none */
  open(start: SinkStart, signal: AbortSignal): Promise<number>;
  /** @param events in their order, those of a step together; none where there was nothing to say for a while */
  send(events: readonly RemoteEvent[], signal: AbortSignal): Promise<void>;
  /**
   * Takes back the steps after `step`, which did not count.
   * @returns false where the server cannot: the run is then marked there as one that is not gone on with, and `open` begins another
   */
  goBack(step: number, signal: AbortSignal): Promise<boolean>;
  close(outcome: RunOutcome, signal: AbortSignal): Promise<void>;
}

export interface RemoteOptions {
  readonly onNotice: (text: string) => void;
  /** What was logged up to a step, in its order: for a server that lacks it. */
  readonly logged?: (step: number) => Promise<readonly RemoteEvent[]>;
  /** Between two requests with metrics. */
  readonly pauseMs?: number;
  /** Before the first repetition of what failed; it doubles from one to the next, up to a minute. */
  readonly retryMs?: number;
  /** Events that may wait. */
  readonly capacity?: number;
}

const maxRetryMs = 60_000;
/** Servers take a run that is silent for minutes to be dead. */
const heartbeatMs = 30_000;
/** Events of one request, where many have waited. */
const batch = 500;

/**
 * Sends events in the background. While the server cannot be reached they wait, in bounded memory; a refusal ends it. The
 * events of a step are sent when the next step's are there, so that they arrive together.
 */
export class RemoteSink implements MetricSink {
  readonly name: string;
  readonly #remote: RemoteRun;
  readonly #options: Required<RemoteOptions>;
  readonly #queue: BoundedQueue<RemoteEvent>;
  readonly #ending = new AbortController();
  readonly #givingUp = new AbortController();
  #outcome: RunOutcome | undefined;
  #work: Promise<void> | undefined;
  #failure: Error | undefined;
  #lastStep = 0;
  /** After which training has gone back to; undefined where the server need not hear of it any more. */
  #backTo: number | undefined;
  #isTroubleTold = false;

  constructor(
    remote: RemoteRun,
    { onNotice, logged = async () => [], pauseMs = 5000, retryMs = 1000, capacity = 5000 }: RemoteOptions,
  ) {
    this.name = remote.name;
    this.#remote = remote;
    this.#options = { onNotice, logged, pauseMs, retryMs, capacity };
    this.#queue = new BoundedQueue(capacity, () =>
      onNotice(`${this.name}: more than ${capacity} records wait to be sent, so the oldest are left out.`),
    );
  }

  start(run: SinkStart): void {
    this.#work = this.#sendAll(run).catch((error: unknown) => {
      this.#failure = error as Error;
    });
  }

  goBack(step: number): void {
    this.#queue.drop((event) => event.kind !== 'notice' && event.step > step);
    this.#backTo = Math.min(step, this.#backTo ?? step);
    this.#lastStep = step;
  }

  scalars(step: number, values: Readonly<Record<string, number>>): void {
    this.#add({ kind: 'scalars', step, time: Date.now(), values });
  }

  histograms(step: number, values: Readonly<Record<string, Histogram>>): void {
    this.#add({ kind: 'histograms', step, time: Date.now(), values });
  }

  image(step: number, tag: string, path: string): void {
    this.#add({ kind: 'image', step, time: Date.now(), tag, path });
  }

  notice(step: number, text: string): void {
    this.#add({ kind: 'notice', step, time: Date.now(), text });
  }

  async end(outcome: RunOutcome, signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#givingUp.abort());
    this.#outcome = outcome;
    this.#ending.abort();
    await this.#work;
    if (this.#failure) throw this.#failure;
  }

  #add(event: RemoteEvent): void {
    if (this.#failure) throw this.#failure;
    this.#lastStep = event.step;
    this.#queue.push(event);
  }

  async #sendAll(run: SinkStart): Promise<void> {
    const { signal } = this.#givingUp;
    // A resumed run repeats the steps since its checkpoint. While they have the same numbers, nothing is to be sent.
    let known = await this.#open(run, run.step);
    let last = known;
    let sent = Date.now();
    while (!this.#outcome || this.#queue.length > 0 || this.#backTo !== undefined) {
      await this.#pause(this.#options.pauseMs);
      const back = this.#backTo;
      this.#backTo = undefined;
      if (back !== undefined && back < last) {
        await this.#takeBack(run, back);
        known = last = back;
      }
      const isReady = ({ step }: RemoteEvent): boolean => step !== this.#lastStep || !!this.#outcome;
      const events = this.#queue.take(isReady).filter(({ kind, step }) => kind === 'notice' || step > known);
      if (events.length === 0 && Date.now() - sent < heartbeatMs) continue;
      await this.#persist(() => this.#remote.send(events, signal));
      last = Math.max(last, events.findLast(({ kind }) => kind !== 'notice')?.step ?? 0);
      sent = Date.now();
    }
    await this.#persist(() => this.#remote.close(this.#outcome!, signal));
  }

  /** @param step up to which the server gets what it lacks @returns the last step that it has */
  async #open(run: SinkStart, step: number): Promise<number> {
    const { signal } = this.#givingUp;
    const known = await this.#persist(() => this.#remote.open(run, signal));
    if (known >= step) return known;
    const missing = (await this.#options.logged(step)).filter((event) => event.step > known);
    for (let i = 0; i < missing.length; i += batch) {
      const some = missing.slice(i, i + batch);
      await this.#persist(() => this.#remote.send(some, signal));
    }
    return step;
  }

  async #takeBack(run: SinkStart, step: number): Promise<void> {
    if (await this.#persist(() => this.#remote.goBack(step, this.#givingUp.signal))) return;
    await this.#open(run, step);
    this.#options.onNotice(
      `${this.name} cannot take back the steps after step ${step}, which did not count: the run goes on there as a new one of the ` +
        'same name, with all steps that did. The one before is kept, and says so.',
    );
  }

  /** Repeats what fails for a while. */
  async #persist<T>(request: () => Promise<T>): Promise<T> {
    for (let wait = this.#options.retryMs; ; wait = Math.min(2 * wait, maxRetryMs)) {
      try {
        return await request();
      } catch (error) {
        // What is not there in an answer is found where it is used.
        if (error instanceof TypeError || error instanceof SyntaxError)
          throw new Error(`what the server answers is not of ${this.name} (${error.message})`, {
            cause: error,
          });
        const isTemporary = error instanceof RequestError && error.isTemporary;
        if (!isTemporary || this.#givingUp.signal.aborted) throw error;
        this.#tellTrouble(error.message);
      }
      // The end does not wait for a minute to pass.
      if (this.#ending.signal.aborted) wait = this.#options.retryMs;
      await this.#pause(wait, this.#ending.signal.aborted ? this.#givingUp.signal : this.#ending.signal);
    }
  }

  #tellTrouble(problem: string): void {
    if (this.#isTroubleTold) return;
    this.#isTroubleTold = true;
    this.#options.onNotice(
      `${this.name} cannot be reached: ${problem}. Training goes on, what waits is sent when it can be, and metrics.jsonl has the same numbers.`,
    );
  }

  /** Ends early with the signal. A run that is killed does not wait for it. */
  async #pause(milliseconds: number, signal: AbortSignal = this.#ending.signal): Promise<void> {
    await setTimeout(milliseconds, undefined, { signal, ref: false }).catch(() => {});
  }
}
