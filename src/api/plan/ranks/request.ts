// What is asked of ranks, checked before anything is timed.
import type { ParsedConfig } from '../../../config/resolve-config.ts';
import { valueError } from '../../../tensor/errors.ts';
import { shareOf } from '../../../train/ranks/share.ts';
import type { TrainConfig } from '../../../train/settings.ts';
import { type Machine, thisLink } from '../machines.ts';
import { type Link, checkLatency, linkOf } from './links.ts';

export interface RankRequest {
  /** How many ranks there would be, each time; none by default. */
  readonly ranks?: readonly number[] | undefined;
  /** How many of them on a machine; one by default. */
  readonly ranksPerHost?: number | undefined;
  /** From machine to machine, as in `1Gbit`; by default that of the machine that tables are for. */
  readonly link?: string | undefined;
  /** Of the link, in seconds from one machine to another. */
  readonly latency?: number | undefined;
}

/** The same, complete. */
export interface RankSetup {
  /** From the fewest on. */
  readonly ranks: readonly number[];
  readonly ranksPerHost: number;
  readonly link: Link;
}

/**
 * The config of a run that can go on with any of these numbers of ranks.
 * @throws RectiflowError where they are no numbers of ranks
 */
export function configForRanks(parsed: ParsedConfig, ranks: RankRequest['ranks']): ParsedConfig {
  if (ranks === undefined) return parsed;
  if (ranks.length === 0 || !ranks.every((count) => Number.isSafeInteger(count) && count >= 1))
    throw valueError('plan', 'ranks', 'whole numbers from 1, one at least', `[${ranks.join(', ')}]`);
  return parsed.forRanks(Math.max(...ranks));
}

/**
 * @param train of a config that is made for them
 * @param machine that ranks are on; this one by default
 * @returns undefined where nothing is asked
 * @throws RectiflowError where a step cannot be shared out to so many ranks, or what is asked is no number of them or no link
 */
export function rankSetup(
  { ranks, ranksPerHost = 1, link, latency }: RankRequest,
  train: Pick<TrainConfig, 'batchSize' | 'shards'>,
  machine?: Machine,
): RankSetup | undefined {
  if (ranks === undefined) {
    const alone = Object.entries({ ranksPerHost: ranksPerHost > 1 || undefined, link, latency });
    const [name] = alone.find(([, value]) => value !== undefined) ?? [];
    if (name !== undefined)
      throw valueError('plan', name, 'given together with numbers of ranks', 'none of them');
    return undefined;
  }
  if (!(Number.isSafeInteger(ranksPerHost) && ranksPerHost >= 1))
    throw valueError('plan', 'ranksPerHost', 'a whole number from 1', ranksPerHost);
  if (machine && ranksPerHost > 1)
    throw valueError(
      'plan',
      'ranksPerHost',
      `1 for ${machine.name}, each of which is taken as a machine with a link of its own`,
      ranksPerHost,
    );
  for (const count of ranks) shareOf(train, { rank: 0, ranks: count });
  return {
    ranks: [...new Set(ranks)].toSorted((a, b) => a - b),
    ranksPerHost,
    link: chosenLink(link, latency, machine?.link ?? thisLink),
  };
}

function chosenLink(rate: string | undefined, latency: number | undefined, usual: Link): Link {
  if (rate !== undefined) return linkOf(rate, latency);
  if (latency === undefined) return usual;
  checkLatency(latency);
  return { ...usual, latency };
}
