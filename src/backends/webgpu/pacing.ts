// How a run is cut into submissions: systems that watch a device take it for hung when one of them takes seconds, and a page's picture waits
// for the one that is under way.
import type { BoundDispatch } from './bind.ts';

/** Dispatches that are timed together. */
const timedTogether = 16;
/** What a submission should take at most, in milliseconds: half of what people notice. */
const longest = 50;

export interface Commands {
  /** Hands over some of a run's dispatches. */
  submit(dispatches: readonly BoundDispatch[]): void;
  /** Resolves when all that was handed over is done. */
  done(): Promise<void>;
}

/** The first run is handed over in small pieces and timed; those that follow in as few pieces as take no longer than they should. */
export class Pacing {
  readonly #dispatches: readonly BoundDispatch[];
  #pieces: readonly (readonly BoundDispatch[])[] | undefined;

  constructor(dispatches: readonly BoundDispatch[]) {
    this.#dispatches = dispatches;
  }

  async run(commands: Commands): Promise<void> {
    if (this.#pieces === undefined) {
      this.#pieces = await this.#timed(commands);
      return;
    }
    for (const piece of this.#pieces) commands.submit(piece);
  }

  /** Runs, and says in which pieces to run next time. */
  async #timed({ submit, done }: Commands): Promise<BoundDispatch[][]> {
    const pieces: BoundDispatch[][] = [];
    let left = 0;
    // What was asked for before has no part in what is timed.
    await done();
    for (let first = 0; first < this.#dispatches.length; first += timedTogether) {
      const some = this.#dispatches.slice(first, first + timedTogether);
      const began = performance.now();
      submit(some);
      await done();
      const taken = performance.now() - began;
      if (pieces.length === 0 || taken > left) {
        pieces.push(some);
        left = longest - taken;
      } else {
        pieces.at(-1)!.push(...some);
        left -= taken;
      }
    }
    return pieces;
  }
}
