// How the samples of a step are divided. Shards come first: what they make is added up over a binary tree, whoever computes its leaves,
// so that the sum has the same bits wherever they are computed. Each shard is then computed in one go, or in micro-batches one after the
// other.

export interface Divided {
  /** Samples of a step. */
  readonly batch: number;
  /** A power of two that divides them; 1 by default. */
  readonly shards?: number | undefined;
}

export interface Division {
  readonly shards: number;
  /** Samples of each. */
  readonly shardSize: number;
  /** Samples that are computed at a time; the last of a shard may be fewer. */
  readonly size: number;
  /** Micro-batches of a shard, and of the step. */
  readonly partsOfShard: number;
  readonly parts: number;
  /** Sums that are kept meanwhile: that of a shard's parts, where it has several, and of 1, 2, 4, ... shards; the last is the total. */
  readonly sums: number;
}

/** @param microBatch samples to compute at a time */
export function divide({ batch, shards = 1 }: Divided, microBatch: number): Division {
  const shardSize = batch / shards;
  const size = Math.min(microBatch, shardSize);
  const partsOfShard = Math.ceil(shardSize / size);
  const isCut = partsOfShard > 1 || shards === 1;
  const sums = Math.log2(shards) + (isCut ? 1 : 0);
  return { shards, shardSize, size, partsOfShard, parts: shards * partsOfShard, sums };
}

/** A part of a step, one micro-batch. */
export interface PartOfStep {
  readonly index: number;
  /** Where its samples begin among those of the step, and how many they are. */
  readonly first: number;
  readonly count: number;
  /** The sums that its gradients are added to, one after the other; those of the fewest samples first. */
  readonly taken: readonly number[];
  /** The sum that they become. */
  readonly made: number;
}

/** In the order that they are computed in. */
export function partsInOrder({ shards, shardSize, size, partsOfShard, parts, sums }: Division): PartOfStep[] {
  const levels = Math.log2(shards);
  const ofLevel = (level: number): number => sums - 1 - (levels - level);
  return Array.from({ length: parts }, (_, index) => {
    const [shard, within] = [Math.floor(index / partsOfShard), index % partsOfShard];
    const endsShard = within === partsOfShard - 1;
    // As a binary counter: what ends a pair goes up, and may end one there.
    const pairs = endsShard ? trailingOnes(shard) : 0;
    const ofPairs = Array.from({ length: pairs }, (_level, i) => i + 1);
    return {
      index,
      first: shard * shardSize + within * size,
      count: Math.min(size, shardSize - within * size),
      taken: [...(within > 0 ? [0] : []), ...ofPairs].map(ofLevel),
      made: ofLevel(endsShard ? Math.min(pairs + 1, levels) : 0),
    };
  });
}

function trailingOnes(value: number): number {
  return Math.log2((value + 1) & ~value);
}
