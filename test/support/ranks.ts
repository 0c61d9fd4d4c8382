// Ranks of one process, as those of MPI are to training: each is handed a communicator, and all run beside each other.
import { Mailbox } from '../../src/distributed/mailbox.ts';
import { roundToHalf } from '../../src/tensor/half.ts';
import type { Communicator, RangedArray } from '../../src/train/ranks/communicator.ts';

interface Caller {
  readonly rank: number;
  readonly value: unknown;
  readonly go: (values: unknown[]) => void;
  readonly fail: (error: Error) => void;
}

/** Where all ranks meet: whoever calls waits for the others. */
class Meeting {
  readonly #ranks: number;
  #calls: { readonly what: string; readonly caller: Caller }[] = [];

  constructor(ranks: number) {
    this.#ranks = ranks;
  }

  /** @returns the values of all, by rank */
  meet(what: string, rank: number, value: unknown): Promise<unknown[]> {
    return new Promise((go, fail) => {
      this.#calls.push({ what, caller: { rank, value, go, fail } });
      if (this.#calls.length < this.#ranks) return;
      const all = this.#calls.splice(0).toSorted((a, b) => a.caller.rank - b.caller.rank);
      const names = new Set(all.map((call) => call.what));
      const values = all.map(({ caller }) => caller.value);
      for (const { caller } of all) {
        if (names.size > 1)
          caller.fail(new Error(`ranks called different functions: ${[...names].join(', ')}`));
        else caller.go(values);
      }
    });
  }
}

/** One communicator for each of so many ranks. @param hosts `host-0`, `host-1`, ... by default */
export function ranksOfProcess(
  ranks: number,
  hosts: readonly string[] = Array.from({ length: ranks }, (_, i) => `host-${i}`),
): Communicator[] {
  const meeting = new Meeting(ranks);
  const mailboxes = hosts.map(() => new Mailbox());
  return hosts.map((_, rank): Communicator => {
    const meet = async <T>(what: string, value: T): Promise<T[]> =>
      (await meeting.meet(what, rank, value)) as T[];
    return {
      rank,
      ranks,
      hosts,
      async sumRanges(arrays, wire) {
        // Copies: the arrays are the programs' own memory.
        const all = await meet(
          `sum ${cutsOf(arrays)}`,
          arrays.map(({ values }) => values.slice()),
        );
        arrays.forEach(({ values, cuts }, i) => {
          const [start, end] = [cuts[rank]!, cuts[rank + 1]!];
          values.fill(NaN);
          const parts = all.map((each) => each[i]!.slice(start, end));
          if (wire === 'bf16') for (const part of parts) roundToHalf('bfloat16', part);
          values.set(treeSum(parts), start);
        });
      },
      async shareRanges(arrays) {
        const all = await meet(
          `share ${cutsOf(arrays)}`,
          arrays.map(({ values }) => values.slice()),
        );
        arrays.forEach(({ values, cuts }, i) => {
          for (let other = 0; other < ranks; other++)
            values.set(all[other]![i]!.subarray(cuts[other], cuts[other + 1]), cuts[other]);
        });
      },
      async gather(values) {
        const all = await meet(`gather ${values.length}`, values.slice());
        return Float32Array.from(all.flatMap((each) => [...each]));
      },
      async gatherJson<T>(value: T) {
        const all = await meet('gather JSON', JSON.stringify(value ?? null));
        return all.map((text) => JSON.parse(text) as T);
      },
      send(to, topic, message) {
        const text = JSON.stringify(message ?? null);
        queueMicrotask(() => mailboxes[to]!.deliver(topic, JSON.parse(text), rank));
      },
      onMessage: (topic, listener) => mailboxes[rank]!.listen(topic, listener),
    };
  });
}

/** Runs the same on every rank. @returns what each returned, by rank */
export async function onRanks<T>(
  ranks: number,
  run: (communicator: Communicator) => Promise<T>,
): Promise<T[]> {
  return Promise.all(ranksOfProcess(ranks).map((communicator) => run(communicator)));
}

function cutsOf(arrays: readonly RangedArray[]): string {
  return arrays.map(({ cuts }) => cuts.join(',')).join(';');
}

function treeSum(parts: Float32Array[]): Float32Array {
  for (let apart = 1; apart < parts.length; apart *= 2)
    for (let i = 0; i + apart < parts.length; i += 2 * apart)
      parts[i + apart]!.forEach((value, at) => (parts[i]![at]! += value));
  return parts[0]!;
}
