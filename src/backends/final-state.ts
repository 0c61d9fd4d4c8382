// Tells of state that a run is done with, in the way that every backend does.
import { type Program, bytesOf, lastTouches } from '../program/index.ts';
import { valueError } from '../tensor/errors.ts';
import type { StateWatch } from './backend.ts';

/** State that is told of at once. */
interface Batch {
  readonly names: readonly string[];
  /** The index of the node after which none of it is read or changed any more; -1 where none does. */
  readonly after: number;
}

/** What one run tells whoever watches its state. */
export class FinalState {
  /** In the order in which they become final. */
  readonly batches: readonly Batch[];
  readonly #onFinal: StateWatch['onFinal'];
  #told = 0;
  #failure: { readonly cause: unknown } | undefined;

  /** @throws RectiflowError where the program has no such state, or the watch asks for what is no number of bytes */
  constructor(program: Program, watch: StateWatch) {
    this.batches = batchesOf(program, watch);
    this.#onFinal = (names) => watch.onFinal(names);
  }

  /** Tells of the first batches, but of none twice: more may have been told of by now. */
  tell(count: number): void {
    while (this.#told < count && this.#failure === undefined) {
      try {
        this.#onFinal(this.batches[this.#told++]!.names);
      } catch (cause) {
        this.#failure = { cause };
      }
    }
  }

  /** Tells of all that is left. Throws what `onFinal` threw before or throws now. */
  end(): void {
    this.tell(this.batches.length);
    if (this.#failure) throw this.#failure.cause;
  }
}

function batchesOf(program: Program, { names, bytes }: StateWatch): Batch[] {
  if (!(bytes > 0))
    throw valueError(`program ${program.name}`, 'watch.bytes', 'a positive number of bytes', bytes);
  checkNames(program, names);
  const touches = lastTouches(program);
  const sizes = new Map(program.state.map((tensor) => [tensor.name!, bytesOf(tensor)]));
  const inOrder = names
    .map((name) => ({ name, after: touches.get(name) ?? -1 }))
    .toSorted((a, b) => a.after - b.after);
  const batches: Batch[] = [];
  let waiting: string[] = [];
  let size = 0;
  for (const [i, { name, after }] of inOrder.entries()) {
    waiting.push(name);
    size += sizes.get(name)!;
    if (size < bytes && i < inOrder.length - 1) continue;
    batches.push({ names: waiting, after });
    [waiting, size] = [[], 0];
  }
  return batches;
}

function checkNames({ name: program, state }: Program, names: readonly string[]): void {
  const left = new Set(state.map(({ name }) => name));
  for (const name of names)
    if (!left.delete(name))
      throw valueError(`program ${program}`, 'watch.names', 'names of its state, each of them once', name);
}
