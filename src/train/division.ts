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
  /** How often sums of two are made of sums before: log2 of the shards. */
  readonly levels: number;
}

/** @param microBatch samples to compute at a time */
export function divide({ batch, shards = 1 }: Divided, microBatch: number): Division {
  const shardSize = batch / shards;
  const size = Math.min(microBatch, shardSize);
  const partsOfShard = Math.ceil(shardSize / size);
  return { shards, shardSize, size, partsOfShard, parts: shards * partsOfShard, levels: Math.log2(shards) };
}

/** A part of a step, one micro-batch. */
export interface PartOfStep {
  readonly index: number;
  /** Where its samples begin among those of the step, and how many they are. */
  readonly first: number;
  readonly count: number;
  /** Whether a shard begins with it. */
  readonly beginsShard: boolean;
  /** Sums that can be made once it is done, in this order. */
  readonly folds: readonly Fold[];
}

/** The sum of a level, added to that of the next one, or put in its place. */
export interface Fold {
  readonly level: number;
  readonly restart: boolean;
}

/** In the order that they are computed in. */
export function partsInOrder({ shardSize, size, partsOfShard, parts, levels }: Division): PartOfStep[] {
  return Array.from({ length: parts }, (_, index) => {
    const [shard, within] = [Math.floor(index / partsOfShard), index % partsOfShard];
    const isLast = within === partsOfShard - 1;
    return {
      index,
      first: shard * shardSize + within * size,
      count: Math.min(size, shardSize - within * size),
      beginsShard: within === 0,
      folds: isLast ? foldsAfter(shard, levels) : [],
    };
  });
}

/** As a binary counter: what ends a pair goes up, and may end one there. */
function foldsAfter(shard: number, levels: number): Fold[] {
  const folds: Fold[] = [];
  for (let level = 0; level < levels; level++) {
    const restart = ((shard >> level) & 1) === 0;
    folds.push({ level, restart });
    if (restart) break;
  }
  return folds;
}
