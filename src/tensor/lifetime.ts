// How long what holds memory may be used, and in which order.
import { RectiflowError } from './errors.ts';

/**
 * What holds memory, of the device too, until it is disposed of. Whoever allocates, compiles or makes something disposes of it: what
 * is forgotten is held until it is collected, or its backend is disposed of.
 */
export interface Disposable {
  /**
   * Gives back what is held, when all that was asked for before is done. It cannot be used from the call on: whatever is asked of it
   * then is a RectiflowError. Disposing of it again does nothing.
   */
  dispose(): Promise<void>;
}

/** The life of a buffer, an executable, a sampler or a backend: it ends once, and is used no more after that. */
export class Lifetime {
  readonly #what: string;
  readonly #end: () => Promise<unknown>;
  #ended: Promise<void> | undefined;

  /**
   * @param what it is the life of, for errors
   * @param end gives back what is held, when all that was asked for before is done
   */
  constructor(what: string, end: () => Promise<unknown>) {
    this.#what = what;
    this.#end = end;
  }

  /**
   * @param what is asked about, by a better name
   * @throws RectiflowError where it has ended
   */
  check(what: string = this.#what): void {
    if (this.#ended === undefined) return;
    throw new RectiflowError('value', `${what} was disposed of: dispose of it later, or make another one`);
  }

  /** Ends it, where it has not ended yet. From the call on it cannot be used. */
  dispose(): Promise<void> {
    return (this.#ended ??= this.#end().then(() => undefined));
  }
}

/** What a backend has made, to be disposed of with it. What nobody uses any more is left to the garbage collector. */
export class Lifetimes {
  readonly #living = new Set<WeakRef<Lifetime>>();
  readonly #forgotten = new FinalizationRegistry<WeakRef<Lifetime>>((life) => this.#living.delete(life));

  add(life: Lifetime): Lifetime {
    const reference = new WeakRef(life);
    this.#living.add(reference);
    this.#forgotten.register(life, reference);
    return life;
  }

  async dispose(): Promise<void> {
    await Promise.all(Array.from(this.#living, (life) => life.deref()?.dispose()));
  }
}

export async function disposeAll(things: Iterable<Disposable>): Promise<void> {
  await Promise.all(Array.from(things, (thing) => thing.dispose()));
}

/** Calls a task when all that were given before are done, in the order of the calls. */
export type Exclusively = <T>(task: () => T | Promise<T>) => Promise<T>;

export function serial(): Exclusively {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const result = last.then(task);
    last = result.catch(() => undefined);
    return result;
  };
}
