// What the ranks of a run give each other in a step, whatever memory their backends have.
import type { Backend, Buffer, Buffers, Executable, StateWatch } from '../../backends/backend.ts';
import { internalError } from '../../tensor/errors.ts';
import type { HostArray } from '../../tensor/dtype.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { averageTensor } from '../averages.ts';
import type { Communicator, RangedArray, Wire } from './communicator.ts';
import { Stopwatch } from '../metrics.ts';
import { cutsOf } from './ownership.ts';
import { treeSum } from './tree-sum.ts';
import { type TrainingStep, gradientTotal } from '../step.ts';

/** Bytes of what leaves together: enough that their way is not mostly latency, few enough that the first leave early. */
export const bucketBytes: number = 8 * 2 ** 20;

/** What a rank tells the others in each step beside numbers: bits of one. */
const [stopping, steering] = [1, 2];

/** Where a backend's memory is not the host's, copies go between them. */
interface Ranged extends RangedArray {
  readonly name: string;
  readonly buffer: Buffer;
  readonly isCopy: boolean;
}

/** What leaves together. */
type Bucket = readonly Ranged[];

export class Exchange {
  readonly #communicator: Communicator;
  readonly #gradients: readonly Ranged[];
  readonly #weights: readonly Ranged[];
  readonly #gradientBuckets: readonly Bucket[];
  readonly #weightBuckets: readonly Bucket[];
  /** Of each parameter, its own elements; undefined where there are none. */
  readonly #averages: readonly (Buffer | undefined)[];
  readonly #wire: Wire;
  /** Runs while a step does. */
  readonly stepping: Stopwatch = new Stopwatch();
  /** Runs while a step waits for other ranks, and for what they send. */
  readonly waiting: Stopwatch = new Stopwatch();
  #wanted = false;
  #agreed = false;
  #isSteered: () => boolean = () => false;
  #steeringAgreed = false;
  /** Gradients, or weights, that are on their way. */
  readonly #leaving: Promise<void>[] = [];

  /** @param buffers the step's state @param wire what gradients are rounded to on their way */
  constructor(
    communicator: Communicator,
    backend: Backend,
    buffers: Buffers,
    { task, own }: Pick<TrainingStep, 'task' | 'own'>,
    wire: Wire = 'fp32',
  ) {
    if (own === undefined) throw internalError('ranks of a step that owns all of the parameters');
    this.#communicator = communicator;
    this.#wire = wire;
    const ranged = (name: string): Ranged => {
      const buffer = buffers.get(name)!;
      const view = backend.view?.(buffer);
      const values = view ?? new Float32Array(sizeOf(buffer.shape));
      return { name, buffer, values, isCopy: view === undefined, cuts: cutsOf(buffer.shape, own) };
    };
    const names = task.module.parameters.map(({ name }) => name);
    this.#weights = names.map(ranged);
    this.#gradients = names.map((name) => ranged(gradientTotal(name)));
    this.#weightBuckets = inBuckets(this.#weights);
    // The last layers' are made first.
    this.#gradientBuckets = inBuckets(this.#gradients.toReversed());
    this.#averages = names.map((name) => buffers.get(averageTensor(undefined, name)));
  }

  /** From the next step on, all ranks know that one wants them to stop. */
  askToStop(): void {
    this.#wanted = true;
  }

  /** Whether this one asked for that. */
  get isStopWanted(): boolean {
    return this.#wanted;
  }

  /** Whether one asked for that before the last step ended: the same on all ranks. */
  get stopAgreed(): boolean {
    return this.#agreed;
  }

  /** Of a rank that is told what the run is asked. @param isAsked whether there is something to take */
  watchSteering(isAsked: () => boolean): void {
    this.#isSteered = isAsked;
  }

  /** Whether there was something to take before the last step ended: the same on all ranks. */
  get steeringAgreed(): boolean {
    return this.#steeringAgreed;
  }

  /**
   * What the last part of a step is run with, so that gradients leave while the backward pass still makes others. Undefined where the
   * backend's memory is its own: then they leave all at once, as weights do.
   */
  watchGradients(): StateWatch | undefined {
    return this.#watch(this.#gradientBuckets, (bucket) => this.#communicator.sumRanges(bucket, this.#wire));
  }

  /** The same of the update, and weights. */
  watchWeights(): StateWatch | undefined {
    return this.#watch(this.#weightBuckets, (bucket) => this.#communicator.shareRanges(bucket));
  }

  /** Buckets leave in their order, which is the same on all ranks, whatever order what is in them is ready in. */
  #watch(buckets: readonly Bucket[], send: (bucket: Bucket) => Promise<void>): StateWatch | undefined {
    if (buckets.some((bucket) => bucket.some(({ isCopy }) => isCopy))) return undefined;
    const waiting = [...buckets];
    const ready = new Set<string>();
    return {
      names: buckets.flat().map(({ name }) => name),
      bytes: bucketBytes / 8,
      onFinal: (names) => {
        for (const name of names) ready.add(name);
        while (waiting[0]?.every(({ name }) => ready.has(name))) {
          const sent = send(waiting.shift()!);
          // What fails is thrown where it is waited for.
          sent.catch(() => {});
          this.#leaving.push(sent);
        }
      },
    };
  }

  /** @returns whether anything was on its way; it has come now */
  async #arrived(): Promise<boolean> {
    const leaving = this.#leaving.splice(0);
    await Promise.all(leaving);
    return leaving.length > 0;
  }

  /**
   * Adds up gradients and losses, after the parts of a step.
   * @param norms of `normsProgram`
   * @returns what the update asks to be told
   */
  async sum(norms: Executable): Promise<Record<'loss' | 'norms', HostArray>> {
    if (!(await this.#arrived()))
      await onHost(this.#gradients, (arrays) => this.#communicator.sumRanges(arrays, this.#wire));
    await norms.run({});
    const own = await norms.read(['loss', 'norms']);
    const asked = (this.#wanted ? stopping : 0) + (this.#isSteered() ? steering : 0);
    const numbers = Float32Array.of(asked, own.loss[0]!, ...own.norms);
    const all = await this.#communicator.gather(numbers);
    const ofRank = Array.from({ length: this.#communicator.ranks }, (_, rank) =>
      all.subarray(rank * numbers.length, (rank + 1) * numbers.length),
    );
    this.#agreed = ofRank.some(([wanted]) => (wanted! & stopping) !== 0);
    this.#steeringAgreed = ofRank.some(([wanted]) => (wanted! & steering) !== 0);
    return {
      loss: Float32Array.of(treeSum(ofRank.map(([, loss]) => loss!))),
      norms: Float32Array.from(ofRank.flatMap((told) => [...told.subarray(2)])),
    };
  }

  /** Gives all ranks the weights that each has updated, after the update. */
  async shareWeights(): Promise<void> {
    if (!(await this.#arrived()))
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

/** In their order, each of about so many bytes. */
function inBuckets(arrays: readonly Ranged[]): Bucket[] {
  const buckets: Ranged[][] = [];
  let bytes = Infinity;
  for (const ranged of arrays) {
    if (bytes >= bucketBytes) {
      buckets.push([]);
      bytes = 0;
    }
    buckets.at(-1)!.push(ranged);
    bytes += ranged.values.byteLength;
  }
  return buckets;
}

async function onHost(
  arrays: readonly Ranged[],
  exchange: (arrays: readonly Ranged[]) => Promise<void>,
): Promise<void> {
  for (const { buffer, values, isCopy } of arrays) if (isCopy) await buffer.readInto(values);
  await exchange(arrays);
  for (const { buffer, values, isCopy } of arrays) if (isCopy) await buffer.write(values);
}
