// What the ranks of a run give each other in a step, whatever memory their backends have.
import type { Backend, Buffer, Buffers, Executable } from '../backends/backend.ts';
import { internalError } from '../tensor/errors.ts';
import type { HostArray } from '../tensor/dtype.ts';
import { sizeOf } from '../tensor/shape.ts';
import { averageTensor } from './averages.ts';
import type { Communicator, RangedArray } from './communicator.ts';
import { Stopwatch } from './metrics.ts';
import { cutsOf } from './ownership.ts';
import { type TrainingStep, gradientTotal } from './step.ts';

/** Where a backend's memory is not the host's, copies go between them. */
interface Ranged extends RangedArray {
  readonly buffer: Buffer;
  readonly isCopy: boolean;
}

export class Exchange {
  readonly #communicator: Communicator;
  readonly #gradients: readonly Ranged[];
  readonly #weights: readonly Ranged[];
  /** Of each parameter, its own elements; undefined where there are none. */
  readonly #averages: readonly (Buffer | undefined)[];
  /** Runs while a step does. */
  readonly stepping: Stopwatch = new Stopwatch();
  /** Runs while a step waits for other ranks, and for what they send. */
  readonly waiting: Stopwatch = new Stopwatch();
  #wanted = false;
  #agreed = false;

  /** @param buffers the step's state */
  constructor(
    communicator: Communicator,
    backend: Backend,
    buffers: Buffers,
    { task, own }: Pick<TrainingStep, 'task' | 'own'>,
  ) {
    if (own === undefined) throw internalError('ranks of a step that owns all of the parameters');
    this.#communicator = communicator;
    const ranged = (name: string): Ranged => {
      const buffer = buffers.get(name)!;
      const view = backend.view?.(buffer);
      const values = view ?? new Float32Array(sizeOf(buffer.shape));
      return { buffer, values, isCopy: view === undefined, cuts: cutsOf(buffer.shape, own) };
    };
    const names = task.module.parameters.map(({ name }) => name);
    this.#weights = names.map(ranged);
    this.#gradients = names.map((name) => ranged(gradientTotal(name)));
    this.#averages = names.map((name) => buffers.get(averageTensor(undefined, name)));
  }

  /** From the next step on, all ranks know that one wants them to stop. */
  askToStop(): void {
    this.#wanted = true;
  }

  /** Whether one asked for that before the last step ended: the same on all ranks. */
  get stopAgreed(): boolean {
    return this.#agreed;
  }

  /**
   * Adds up gradients and losses.
   * @param norms of `normsProgram`
   * @returns what the update asks to be told
   */
  async sum(norms: Executable): Promise<Record<'loss' | 'norms', HostArray>> {
    await onHost(this.#gradients, (arrays) => this.#communicator.sumRanges(arrays));
    await norms.run({});
    const own = await norms.read(['loss', 'norms']);
    const numbers = Float32Array.of(this.#wanted ? 1 : 0, own.loss[0]!, ...own.norms);
    const all = await this.#communicator.gather(numbers);
    const ofRank = Array.from({ length: this.#communicator.ranks }, (_, rank) =>
      all.subarray(rank * numbers.length, (rank + 1) * numbers.length),
    );
    this.#agreed = ofRank.some(([wanted]) => wanted !== 0);
    return {
      loss: Float32Array.of(treeSum(ofRank.map(([, loss]) => loss!))),
      norms: Float32Array.from(ofRank.flatMap((told) => [...told.subarray(2)])),
    };
  }

  /** Gives all ranks the weights that each has updated. */
  async shareWeights(): Promise<void> {
    await onHost(this.#weights, (arrays) => this.#communicator.shareRanges(arrays));
  }

  /**
   * Runs something while the averages of the weights are in the weights' place, on all ranks; afterwards the weights are back, to the bit.
   * @param use fails on all ranks or on none
   */
  async withAverages<T>(use: () => Promise<T>): Promise<T> {
    const averages = await Promise.all(this.#averages.map((buffer) => buffer?.read()));
    const weights = await this.#replace(averages);
    try {
      return await use();
    } finally {
      await this.#replace(weights);
    }
  }

  /** Puts other numbers in the place of the weights, of which each rank has its own. @returns those that were there */
  async #replace(own: readonly (HostArray | undefined)[]): Promise<Float32Array[]> {
    const before: Float32Array[] = [];
    const exchange = async (arrays: readonly Ranged[]): Promise<void> => {
      arrays.forEach(({ values, cuts }, i) => {
        const [start, end] = [cuts[this.#communicator.rank]!, cuts[this.#communicator.rank + 1]!];
        before.push(values.slice(start, end));
        values.set(own[i] ?? [], start);
      });
      await this.#communicator.shareRanges(arrays);
    };
    await onHost(this.#weights, exchange);
    return before;
  }
}

async function onHost(
  arrays: readonly Ranged[],
  exchange: (arrays: readonly Ranged[]) => Promise<void>,
): Promise<void> {
  for (const { buffer, values, isCopy } of arrays) if (isCopy) await buffer.readInto(values);
  await exchange(arrays);
  for (const { buffer, values, isCopy } of arrays) if (isCopy) await buffer.write(values);
}

/** In float32, as gradients are added up: over a binary tree, neighbours first. */
function treeSum(values: number[]): number {
  for (let apart = 1; apart < values.length; apart *= 2)
    for (let i = 0; i + apart < values.length; i += 2 * apart)
      values[i] = Math.fround(values[i]! + values[i + apart]!);
  return values[0]!;
}
