// What a program holds of a backend's memory and handles, which is given back as one.

export class Held {
  readonly #releases: (() => void)[] = [];

  add(release: () => void): void {
    this.#releases.push(release);
  }

  /** The last first: programs before what they work on. */
  release(): void {
    for (const release of this.#releases.splice(0).toReversed()) release();
  }
}

/** Binds a program to memory. Where that throws, nothing is held. */
export function holding<H extends Held, T>(held: H, bind: (held: H) => T): T {
  try {
    return bind(held);
  } catch (error) {
    held.release();
    throw error;
  }
}
