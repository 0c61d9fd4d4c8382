/** First in, first out. Where more would wait than it may hold, the oldest are dropped. */
export class BoundedQueue<T> {
  readonly #limit: number;
  readonly #onDrop: () => void;
  #items: { readonly item: T; readonly isKept: boolean }[] = [];
  #hasDropped = false;

  /** @param onDrop called the first time that something is dropped */
  constructor(limit: number, onDrop: () => void) {
    this.#limit = limit;
    this.#onDrop = onDrop;
  }

  get length(): number {
    return this.#items.length;
  }

  /** @param isKept whether others are dropped in its place */
  push(item: T, isKept = false): void {
    this.#items.push({ item, isKept });
    if (this.#items.length <= this.#limit) return;
    const oldest = this.#items.findIndex((each) => !each.isKept);
    if (oldest < 0) return;
    this.#items.splice(oldest, 1);
    if (!this.#hasDropped) this.#onDrop();
    this.#hasDropped = true;
  }

  shift(): T | undefined {
    return this.#items.shift()?.item;
  }

  /** Removes items wherever they stand. */
  drop(isVoid: (item: T) => boolean): void {
    this.#items = this.#items.filter(({ item }) => !isVoid(item));
  }

  /** Removes and returns the items before the first that is not ready. */
  take(isReady: (item: T) => boolean): T[] {
    const end = this.#items.findIndex(({ item }) => !isReady(item));
    return this.#items.splice(0, end < 0 ? this.#items.length : end).map(({ item }) => item);
  }
}
