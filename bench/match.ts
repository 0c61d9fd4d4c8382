// Processes that take turns on one machine, so that what slows it down slows all of them.
import type { Contestant, Turn } from './contestant.ts';
import { median } from './statistics.ts';
import { digits } from './table.ts';

export interface Player<Name extends string> {
  readonly name: Name;
  start(): Promise<Contestant>;
  /** FLOP/s that the machine can sustain with the threads and instructions of this player. */
  measurePeak?(): Promise<number>;
}

/** A turn, and the peak just after it. */
export interface PlayedTurn extends Turn {
  readonly peak?: number | undefined;
}

export interface MatchOptions {
  readonly title: string;
  readonly rounds: number;
  /** How long the timed part of a turn lasts at least. */
  readonly seconds: number;
}

/** The turns of each player, one per round. Every other round goes backwards, so that nobody is always the first. */
export async function playMatch<Name extends string>(
  players: readonly Player<Name>[],
  { title, rounds, seconds }: MatchOptions,
): Promise<Map<Name, PlayedTurn[]>> {
  const contestants = new Map<Name, Contestant>();
  const turns = new Map<Name, PlayedTurn[]>(players.map(({ name }) => [name, []]));
  try {
    for (const { name, start } of players) {
      console.error(`${title}: starting ${name}`);
      contestants.set(name, await start());
    }
    agree(contestants);
    for (const contestant of contestants.values()) await contestant.settle();
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? players : players.toReversed();
      for (const { name, measurePeak } of order) {
        const turn = await contestants.get(name)!.turn(seconds);
        turns.get(name)!.push({ ...turn, peak: await measurePeak?.() });
        const { milliseconds } = turn;
        console.error(
          `${title}: round ${round + 1} of ${rounds}: ${name} ${digits(median(milliseconds))} ms (${milliseconds.length} runs)`,
        );
      }
    }
  } finally {
    await Promise.all([...contestants.values()].map((contestant) => contestant.close()));
  }
  return turns;
}

/** The first loss is 1 + mean(x0^2) for everyone, but for the luck of the draw. */
const lossTolerance = 0.15;
/** The same pixels through other decoders and resizers: a level of 255 or two. */
const meanTolerance = 0.02;

/** @throws Error unless all have the same number of parameters and the same loss at first, or read the same samples */
function agree(contestants: ReadonlyMap<string, Contestant>): void {
  const [[first, { ready }], ...others] = [...contestants] as [
    [string, Contestant],
    ...[string, Contestant][],
  ];
  for (const [name, other] of others) {
    const { parameters, loss = 0, mean = 0 } = other.ready;
    if (parameters !== ready.parameters) {
      throw new Error(`${name} has ${parameters} parameters, ${first} ${ready.parameters}`);
    }
    if (!(Math.abs(loss - (ready.loss ?? 0)) < lossTolerance)) {
      throw new Error(`${name} begins with a loss of ${loss}, ${first} with ${ready.loss}`);
    }
    if (!(Math.abs(mean - (ready.mean ?? 0)) < meanTolerance)) {
      throw new Error(`${name} reads samples of mean ${mean}, ${first} of ${ready.mean}`);
    }
  }
}
