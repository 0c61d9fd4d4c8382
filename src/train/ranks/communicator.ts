// The ranks of a run: processes, on one machine or many, that train one model together. Training is handed what they reach each other by.

/**
 * What one rank reaches the others by. The functions that return a promise are collective: all ranks call the same ones in the same
 * order, with arrays of the same lengths, and each waits for the others. Where a rank has failed or is lost they throw.
 */
export interface Communicator {
  /** From 0. */
  readonly rank: number;
  /** How many there are. */
  readonly ranks: number;
  /** The name of each one's machine. */
  readonly hosts: readonly string[];
  /**
   * Adds up arrays over all ranks: afterwards each rank has the sums of its own ranges, in place, and nothing of use in the others. Ranks
   * are added over a binary tree, neighbours first, so that a power of two of them makes the upper levels of a tree whose lower ones each
   * has made itself.
   * @param wire what the numbers travel as, `fp32` by default; with `bf16` those of all ranks are rounded before they are added up
   */
  sumRanges(arrays: readonly RangedArray[], wire?: Wire): Promise<void>;
  /** Gives every rank what each has in its own ranges, in place. */
  shareRanges(arrays: readonly RangedArray[]): Promise<void>;
  /** @returns the numbers of all ranks, one rank's after the other's */
  gather(values: Float32Array): Promise<Float32Array>;
  /** @param value plain JSON, of any size @returns that of each rank */
  gatherJson<T>(value: T): Promise<T[]>;
  /** Not collective: tells one rank something, by and by. Messages from one rank to another arrive in order. @param message plain JSON */
  send(to: number, topic: string, message: unknown): void;
  /** @returns stops listening. What arrives while nobody listens to its topic is kept for the first who does */
  onMessage(topic: string, listener: (message: unknown, from: number) => void): () => void;
}

/** Numbers of which each rank has a range of its own: rank i those from `cuts[i]` to `cuts[i + 1]`. */
export interface RangedArray {
  readonly values: Float32Array;
  readonly cuts: readonly number[];
}

/** `bf16` halves what is sent. Sums are float32 either way. */
export type Wire = 'fp32' | 'bf16';

/** How many ranks run on the machine of this one. */
export function ranksOfHost({ rank, hosts }: Pick<Communicator, 'rank' | 'hosts'>): number {
  return hosts.filter((host) => host === hosts[rank]).length;
}

/** `rank 3 on node-7` */
export function nameOfRank({ hosts }: Pick<Communicator, 'hosts'>, rank: number): string {
  return `rank ${rank} on ${hosts[rank] ?? 'an unknown machine'}`;
}
