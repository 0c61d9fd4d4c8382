/** Lets at most `most` tasks run at a time; the others wait in the order in which they came. */
export class Limit {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(most: number) {
    this.#most = most;
  }

  async run<T>(task: () => T | Promise<T>): Promise<T> {
    if (this.#running >= this.#most) await new Promise<void>((start) => this.#waiting.push(start));
    else this.#running++;
    try {
      return await task();
    } finally {
      // A task that ends hands its place to the next: the count stays.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
