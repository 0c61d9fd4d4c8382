/** First in, first out. Where more would wait than it may hold, the oldest are dropped. */
export class BoundedQueue<T> {
  readonly #limit: number;
  readonly #onDrop: () => void;
  #items: T[] = [];
  #hasDropped = false;

  /** @param onDrop called the first time that something is dropped */
  constructor(limit: number, onDrop: () => void) {
    this.#limit = limit;
    this.#onDrop = onDrop;
  }

  get length(): number {
    return this.#items.length;
  }

  push(item: T): void {
    this.#items.push(item);
    if (this.#items.length <= this.#limit) return;
    this.#items.shift();
    if (!this.#hasDropped) this.#onDrop();
    this.#hasDropped = true;
  }

  shift(): T | undefined {
    return this.#items.shift();
  }

  /** Removes and returns the items before the first that is not ready. */
  take(isReady: (item: T) => boolean): T[] {
    const end = this.#items.findIndex((item) => !isReady(item));
    return this.#items.splice(0, end < 0 ? this.#items.length : end);
  }
}
