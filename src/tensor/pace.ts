/** A timer cannot rest for less. */
const SHORTEST_REST = 1;

/** Holds work back that runs beside something more important, until somebody waits for it. */
export class Pace {
  readonly #restPerWork: number;
  readonly #hurry = new AbortController();
  #owed = 0;

  /** @param share of the time that may be worked, above 0, at most 1 */
  constructor(share: number) {
    this.#restPerWork = 1 / share - 1;
  }

  /** Rests as long as work of so many milliseconds asks for. */
  async rest(worked: number): Promise<void> {
    this.#owed += worked * this.#restPerWork;
    if (this.#owed < SHORTEST_REST || this.#hurry.signal.aborted) return;
    await this.#sleep(this.#owed);
    this.#owed = 0;
  }

  #sleep(milliseconds: number): Promise<void> {
    const { signal } = this.#hurry;
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      signal.addEventListener('abort', end);
    });
  }

  /** No more rests, and an end to the one that is taken now. */
  hurry(): void {
    this.#hurry.abort();
  }
}
