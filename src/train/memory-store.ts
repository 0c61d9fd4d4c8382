import { formatShape, runError, valueError } from '../tensor/errors.ts';
import type { StoredTensor, StoredTensors } from '../tensor/stored-tensor.ts';
import type { BadStep } from './bad-steps.ts';
import {
  type Checkpoint,
  type CheckpointPart,
  type OpenTensors,
  type Retention,
  type RunStore,
  type StoredCheckpoint,
  inMemory,
  outdated,
} from './run-store.ts';

/** What a run in memory has kept of a checkpoint; plain enough to be put elsewhere (IndexedDB, a message to another thread). */
export type KeptCheckpoint = Omit<Checkpoint, 'metadata'>;

export interface KeptAverages {
  /** Optimizer steps that they have seen. */
  readonly updates: number;
  readonly tensors: StoredTensors;
}

/** Keeps a run in memory: what a page or a worker needs to go back after bad steps, and to go on after a stop. */
export class MemoryStore implements RunStore {
  readonly path: string;
  readonly badStepsPath: string = 'MemoryStore.badSteps';
  /** Steps that changed nothing. */
  readonly badSteps: BadStep[] = [];
  /** Power-function averages, by step. */
  readonly averages: Map<number, KeptAverages> = new Map();
  readonly #checkpoints = new Map<number, KeptCheckpoint>();

  /**
   * @param path how people call the run
   * @param kept to go on from
   */
  constructor(path = 'run', kept: readonly KeptCheckpoint[] = []) {
    this.path = path;
    for (const checkpoint of kept) this.#checkpoints.set(checkpoint.step, checkpoint);
  }

  /** By step, ascending. */
  get checkpoints(): readonly KeptCheckpoint[] {
    return [...this.#checkpoints.values()].toSorted((a, b) => a.step - b.step);
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  mend(): Promise<void> {
    return Promise.resolve();
  }

  async save(checkpoint: Checkpoint, retention: Retention): Promise<string> {
    const { model, ema, optimizer, averages, step, state } = checkpoint;
    this.#checkpoints.set(step, {
      model: copied(model),
      ema: copied(ema),
      optimizer: copied(optimizer),
      ...(averages && { averages: copied(averages) }),
      step,
      state: structuredClone(state),
    });
    const steps = this.checkpoints.map((kept) => kept.step);
    for (const old of outdated(steps, step, retention)) this.#checkpoints.delete(old);
    return this.#pathOf(step);
  }

  async latest(): Promise<StoredCheckpoint> {
    const last = this.checkpoints.at(-1);
    if (last === undefined)
      throw runError(this.path, 'there is no checkpoint yet', 'Train until the first one is saved');
    const path = this.#pathOf(last.step);
    const open = async (part: CheckpointPart): ReturnType<StoredCheckpoint['open']> => {
      const tensors = last[part];
      return tensors && inMemory(`${path}, ${part}`, tensors);
    };
    return { path, step: last.step, state: structuredClone(last.state), open };
  }

  async has(path: string): Promise<boolean> {
    return this.checkpoints.some(({ step }) => this.#pathOf(step) === path);
  }

  async storeAverages(step: number, updates: number, averages: OpenTensors): Promise<void> {
    const tensors = new Map<string, StoredTensor>();
    for (const name of averages.slots.keys()) tensors.set(name, await averages.read(name));
    this.averages.set(step, { updates, tensors: copied(tensors) });
  }

  async dropLaterAverages(step: number): Promise<void> {
    for (const later of this.averages.keys()) if (later > step) this.averages.delete(later);
  }

  async noteBadStep(step: BadStep): Promise<void> {
    this.badSteps.push(step);
  }

  #pathOf(step: number): string {
    return `${this.path}, step ${step}`;
  }
}

/** @throws RectiflowError where one is a piece: the others are in the memory of other processes */
function copied(tensors: StoredTensors): StoredTensors {
  for (const [name, { shape, start, data }] of tensors) {
    if (start === undefined) continue;
    const wanted = `a whole tensor of shape ${formatShape(shape)}`;
    const found = `a piece of ${data.length} values from value ${start} on`;
    throw valueError(
      'MemoryStore',
      name,
      wanted,
      `${found}. Ranks that train together keep their run in a folder.`,
    );
  }
  return new Map(
    Array.from(tensors, ([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() }] as const),
  );
}
