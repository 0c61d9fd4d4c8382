import { formatDuration } from './format.ts';

/** How long the rest of some work will take, by the pace so far. */
export class TimeLeft {
  readonly #now: () => number;
  /** What was done already when it was looked at first, perhaps by an earlier call. */
  #first: { readonly done: number; readonly at: number } | undefined;

  /** @param now milliseconds; replaced in tests */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** `, 4m 07s left`; empty as long as nothing tells. */
  of(done: number, total: number): string {
    const first = (this.#first ??= { done, at: this.#now() });
    if (done <= first.done || done >= total) return '';
    const seconds = (this.#now() - first.at) / 1000;
    return `, ${formatDuration((seconds * (total - done)) / (done - first.done))} left`;
  }
}
