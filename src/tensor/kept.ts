import { type Disposable, Lifetime } from './lifetime.ts';

/** What is made once for each key, executables for shapes say, and disposed of together. */
export class Kept<T> implements Disposable {
  readonly #made = new Map<string, Promise<T>>();
  readonly #life: Lifetime;

  /** @param what they are part of, for errors */
  constructor(what: string, dispose: (value: T) => Promise<unknown>) {
    this.#life = new Lifetime(what, async () => {
      const made = await Promise.allSettled(this.#made.values());
      await Promise.all(made.map((each) => each.status === 'fulfilled' && dispose(each.value)));
    });
  }

  /** @throws RectiflowError where they were disposed of */
  get(key: string, make: () => Promise<T>): Promise<T> {
    this.#life.check();
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#made.set(key, made);
    // What could not be had now, memory say, may be had another time.
    made.catch(() => this.#made.delete(key));
    return made;
  }

  dispose(): Promise<void> {
    return this.#life.dispose();
  }
}
