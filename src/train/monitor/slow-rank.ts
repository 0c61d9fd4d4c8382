import { nameOfRank } from '../ranks/communicator.ts';
import type { Detector } from './detector.ts';
import { brief, median } from './statistics.ts';

/** Logged steps in all of which one rank is the slowest; the first of a process compiles and measures. */
const looked = 5;
/** Times as long as the others, from which on it is no chance. */
const notable = 1.25;
/** Seconds that the others wait at a step, below which it is not worth a word: short steps take what the machine's scheduler makes of them. */
const least = 0.05;

/** One rank, for which all others wait at every step. */
export const slowRank: Detector = (readings, { hosts = [] }) => {
  const recent = readings.slice(1).slice(-looked);
  const { slowestRank: rank, computing = 0 } = recent.at(-1) ?? {};
  if (recent.length < looked || rank === undefined) return undefined;
  if (!recent.every(({ slowestRank, slowdown = 1 }) => slowestRank === rank && slowdown >= notable))
    return undefined;
  const times = median(recent.map(({ slowdown = 1 }) => slowdown));
  if ((times - 1) * computing < least) return undefined;
  return (
    `${nameOfRank({ hosts }, rank)} computes ${brief(times)} times as long as the others, whose part of a step takes ${brief(computing)} s: ` +
    'they all wait for it. Look for other programs on its machine, cores that it shares with other ranks, or a slower clock; without it, ' +
    'the others may be faster.'
  );
};
