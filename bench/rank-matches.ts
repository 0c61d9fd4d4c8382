// In how many processes a case is trained by whom, who stands beside whom in the measurement, and what is read off it.
import { withoutContained } from './matches.ts';
import type { Comparison } from './scores.ts';

export const precisions = ['bf16', 'fp32'] as const;
export type Precision = (typeof precisions)[number];

/** Ranks that train together, one of the contestants. */
export interface Team {
  readonly by: 'rectiflow' | 'pytorch';
  readonly precision: Precision;
  /** One is a process of its own, with nobody to exchange anything with. */
  readonly ranks: number;
  /** Into which rectiflow divides the samples of a step. */
  readonly shards: number;
}

export interface Field {
  readonly precision: Precision;
  /** From the fewest on. */
  readonly ranks: readonly number[];
  /** Whether there is PyTorch. */
  readonly peer: boolean;
  /** Whether processes can be started as ranks. */
  readonly mpi: boolean;
}

/** For 1, 2, 4 and 8 ranks, whose weights are the same to the bit. */
const usualShards = 8;

/** What it is called in a measurement. */
export function nameOf({ by, precision, ranks, shards }: Team): string {
  return `${by}-${precision}-${ranks}${by === 'rectiflow' && shards === 1 ? '-undivided' : ''}`;
}

/** @param cores that there are @param threads of each rank */
export function labelOf({ by, ranks, shards }: Team, cores: number, threads: number): string {
  const who = by === 'rectiflow' ? 'rectiflow' : ranks > 1 ? 'PyTorch DDP' : 'PyTorch';
  const where = ranks * threads > cores ? ` on ${cores} ${cores === 1 ? 'core' : 'cores'}` : '';
  const how = by === 'pytorch' ? '' : shards === 1 ? ', undivided' : `, ${shards} shards`;
  return `${who}, ${ranks === 1 ? '1 process' : `${ranks} ranks`}${where}${how}`;
}

/** One process of the same kind. */
export function aloneOf(team: Team): Team {
  return { ...team, ranks: 1 };
}

/** One process that computes its gradients in one go. */
export function undividedOf(team: Team): Team {
  return { ...aloneOf(team), shards: 1 };
}

/** As few processes at a time as have to be compared. */
export function rankMatches({ precision, ranks, peer, mpi }: Field): Team[][] {
  const team = (by: Team['by'], count: number): Team => ({
    by,
    precision,
    ranks: count,
    shards: Math.max(usualShards, ...ranks),
  });
  const ours = ranks.filter((count) => count === 1 || mpi).map((count) => team('rectiflow', count));
  const undivided = ours.filter((each) => each.ranks === 1).map(undividedOf);
  const alone = ranks.includes(1) ? [team('pytorch', 1)] : [];
  const beside = ranks.map((count): Team[] => [
    ...ours.filter((each) => each.ranks === count),
    ...(count === 1 ? [...undivided, ...alone] : [team('pytorch', count), ...alone]),
  ]);
  const matches = [[...undivided, ...ours], ...(peer ? beside : [])];
  const teams = new Map(matches.flat().map((each) => [nameOf(each), each]));
  return withoutContained(matches.map((match) => match.map(nameOf))).map((match) =>
    match.map((name) => teams.get(name)!),
  );
}

/** Each team against the other side's of as many ranks, and against one process. */
export function rankComparisons(teams: readonly Team[]): Comparison<string>[] {
  const names = teams.map(nameOf);
  return teams.flatMap((team): Comparison<string>[] => {
    const isOurs = team.by === 'rectiflow';
    const beside = isOurs && team.shards > 1 ? [nameOf({ ...team, by: 'pytorch' })] : [];
    const others = [...beside, nameOf(aloneOf(team)), ...(isOurs ? [nameOf(undividedOf(team))] : [])];
    return [...new Set(others)]
      .filter((other) => other !== nameOf(team) && names.includes(other))
      .map((other) => [nameOf(team), other]);
  });
}

/**
 * Bytes that a rank sends in a step at least: of the gradients' sums, which are made of everybody's numbers, and of what is made of
 * them, which everybody gets, each time R - 1 of R parts of N float32 numbers: 2 (R - 1) / R * 4 N.
 */
export function leastTraffic(parameters: number, ranks: number): number {
  return ((2 * (ranks - 1)) / ranks) * 4 * parameters;
}
