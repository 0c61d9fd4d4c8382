// A rank's share of a run: its samples of every step, and what it updates of every parameter.
import { RectiflowError } from '../../tensor/errors.ts';
import type { Communicator } from './communicator.ts';
import { type Ownership, ownsAll } from './ownership.ts';
import type { TrainConfig } from '../settings.ts';

export interface Share {
  readonly rank: number;
  readonly ranks: number;
  /** Into how many shards the samples of a step are divided, on all ranks. */
  readonly shards: number;
  readonly own: Ownership;
}

/** Of whoever trains alone. */
export function wholeShare({ shards = 1 }: Pick<TrainConfig, 'shards'>): Share {
  return { rank: 0, ranks: 1, shards, own: ownsAll(shards) };
}

/**
 * Shards are shared out evenly. Where ranks are no power of two, each has as many as are one, and there are fewer in all.
 * @throws RectiflowError where there are more ranks than shards, or a step's samples cannot be shared out evenly
 */
export function shareOf(
  train: Pick<TrainConfig, 'batchSize' | 'shards'>,
  communicator?: Pick<Communicator, 'rank' | 'ranks'>,
): Share {
  if (communicator === undefined) return wholeShare(train);
  const { rank, ranks } = communicator;
  const { batchSize, shards = 1 } = train;
  if (ranks > shards) throw tooManyRanks(ranks, shards);
  let ofRank = 2 ** Math.floor(Math.log2(shards / ranks));
  while (ofRank > 1 && batchSize % (ofRank * ranks) !== 0) ofRank /= 2;
  if (batchSize % (ofRank * ranks) !== 0) throw unevenBatch(batchSize, ranks);
  const slices = ofRank * ranks;
  return { rank, ranks, shards: slices, own: { slices, first: rank * ofRank, count: ofRank } };
}

/** How many shards are usual, where a run begins on ranks: more cost time, fewer bind it to as many ranks. */
const usualShards = 8;

/** Into how many shards the steps of a run are divided that begins on ranks, where nothing else is said. @param batches sizes that it is to divide */
export function shardsForRanks(batches: readonly number[], ranks: number): number {
  let shards = Math.max(usualShards, 2 ** Math.ceil(Math.log2(ranks)));
  while (shards > 1 && batches.some((size) => size % shards !== 0)) shards /= 2;
  return shards;
}

/** What to tell of ranks with which numbers are others in their last digits than those of one process; nothing where they are the same. */
export function describeShare(
  { ranks, shards }: Share,
  train: Pick<TrainConfig, 'shards' | 'wire'>,
): string[] {
  const isUnusual = shards !== (train.shards ?? 1);
  const isRounded = ranks > 1 && train.wire === 'bf16';
  return [
    ...(isUnusual
      ? [
          `${ranks} ranks make ${shards} shards of each step, not the ${train.shards} of train.shards: gradients are added up in another ` +
            'order than with 1, 2, 4, ... ranks, and numbers differ in their last digits.',
        ]
      : []),
    ...(isRounded
      ? [
          `train.wire is bf16: gradients are rounded on their way, and numbers are those of ${ranks} ranks alone.`,
        ]
      : []),
  ];
}

function tooManyRanks(ranks: number, shards: number): RectiflowError {
  const least = 2 ** Math.ceil(Math.log2(ranks));
  return new RectiflowError(
    'config',
    `train.shards: wanted at least as many as there are ranks, ${ranks}, found ${shards}. Set train.shards to ${least}, and ` +
      `train.batchSize to a multiple of that, or start fewer ranks.`,
  );
}

function unevenBatch(batchSize: number, ranks: number): RectiflowError {
  const nearest = [Math.floor, Math.ceil].map((round) => ranks * Math.max(1, round(batchSize / ranks)));
  return new RectiflowError(
    'config',
    `train.batchSize: wanted a multiple of the ${ranks} ranks, the nearest being ${[...new Set(nearest)].join(' or ')}, found ` +
      `${batchSize}. Set it so, or start as many ranks as divide it.`,
  );
}
