// Where the ranks of one process keep their run: in memory, put together from the pieces that each has.
import { MemoryStore } from '../../src/train/memory-store.ts';
import { type Checkpoint, type CheckpointPart, type RunStore, inMemory } from '../../src/train/run-store.ts';
import type { StoredTensor, StoredTensors } from '../../src/tensor/stored-tensor.ts';
import { joinParts, joinTensors } from './owned-state.ts';

/** Settles with what `last` makes of what all have brought, when the last one has. */
class Gathering<T, R> {
  readonly #ranks: number;
  readonly #last: (all: T[]) => Promise<R>;
  #brought: { readonly value: T; readonly go: (result: R) => void }[] = [];

  constructor(ranks: number, last: (all: T[]) => Promise<R>) {
    this.#ranks = ranks;
    this.#last = last;
  }

  bring(value: T): Promise<R> {
    return new Promise((go, fail) => {
      this.#brought.push({ value, go });
      if (this.#brought.length < this.#ranks) return;
      const all = this.#brought.splice(0);
      const settle = (result: R): void => all.forEach((each) => each.go(result));
      this.#last(all.map((each) => each.value)).then(settle, fail);
    });
  }
}

/** One for each rank, over the same run. @returns what they keep, too */
export function sharedStores(ranks: number): { stores: RunStore[]; kept: MemoryStore } {
  const kept = new MemoryStore();
  if (ranks === 1) return { stores: [kept], kept };
  const retention = { keepCheckpoints: 9, keepEvery: 0 };
  const saves = new Gathering<Checkpoint, string>(ranks, (all) =>
    kept.save({ ...all[0]!, ...joinParts(all.map(partsOf)) }, retention),
  );
  const averages = new Gathering<{ step: number; updates: number; tensors: StoredTensors }, void>(
    ranks,
    ([first, ...others]) => {
      const tensors = joinTensors([first!, ...others].map((each) => each.tensors));
      return kept.storeAverages(first!.step, first!.updates, inMemory('averages', tensors));
    },
  );
  const store = (rank: number): RunStore => ({
    path: kept.path,
    badStepsPath: kept.badStepsPath,
    check: async () => {},
    mend: async () => {},
    save: (checkpoint) => saves.bring(checkpoint),
    latest: () => kept.latest(),
    has: (path) => kept.has(path),
    async storeAverages(step, updates, { slots, read }) {
      const tensors = new Map<string, StoredTensor>();
      for (const name of slots.keys()) tensors.set(name, await read(name));
      return averages.bring({ step, updates, tensors });
    },
    dropLaterAverages: (step) => kept.dropLaterAverages(step),
    noteBadStep: async (step) => (rank === 0 ? kept.noteBadStep(step) : undefined),
  });
  return { stores: Array.from({ length: ranks }, (_, rank) => store(rank)), kept };
}

function partsOf({ model, ema, optimizer, averages }: Checkpoint): Pick<Checkpoint, CheckpointPart> {
  return { model, ema, optimizer, ...(averages && { averages }) };
}
