import { expect, it } from 'vitest';
import {
  type Team,
  labelOf,
  leastTraffic,
  nameOf,
  rankComparisons,
  rankMatches,
} from '../../bench/rank-matches.ts';

const all = { precision: 'bf16', ranks: [1, 2, 4], peer: true, mpi: true } as const;
const namesOf = (matches: readonly Team[][]): string[][] => matches.map((match) => match.map(nameOf));

it('the matches of ranks hold every comparison', () => {
  const matches = namesOf(rankMatches(all));
  const comparisons = rankComparisons(rankMatches(all).flat());
  expect(comparisons).toContainEqual(['rectiflow-bf16-4', 'pytorch-bf16-4']);
  expect(comparisons).toContainEqual(['rectiflow-bf16-1', 'pytorch-bf16-1']);
  expect(comparisons).toContainEqual(['rectiflow-bf16-1', 'rectiflow-bf16-1-undivided']);
  expect(comparisons).toContainEqual(['rectiflow-bf16-2', 'rectiflow-bf16-1-undivided']);
  expect(comparisons).toContainEqual(['pytorch-bf16-4', 'pytorch-bf16-1']);
  for (const [a, b] of comparisons) {
    expect(matches.some((match) => match.includes(a) && match.includes(b))).toBe(true);
  }
});

it('each pair of ranks is compared once, and nobody with itself', () => {
  const comparisons = rankComparisons([
    ...new Map(
      rankMatches(all)
        .flat()
        .map((team) => [nameOf(team), team]),
    ).values(),
  ]);
  expect(new Set(comparisons.map(String)).size).toBe(comparisons.length);
  expect(comparisons.every(([a, b]) => a !== b)).toBe(true);
});

it('without PyTorch, without MPI, or without one process there is the rest', () => {
  expect(namesOf(rankMatches({ ...all, peer: false }))).toEqual([
    ['rectiflow-bf16-1-undivided', 'rectiflow-bf16-1', 'rectiflow-bf16-2', 'rectiflow-bf16-4'],
  ]);
  expect(namesOf(rankMatches({ ...all, peer: false, mpi: false }))).toEqual([
    ['rectiflow-bf16-1-undivided', 'rectiflow-bf16-1'],
  ]);
  expect(namesOf(rankMatches({ ...all, ranks: [2], mpi: false }))).toEqual([['pytorch-bf16-2']]);
  expect(rankMatches({ ...all, ranks: [2], peer: false, mpi: false })).toEqual([]);
  expect(namesOf(rankMatches({ ...all, ranks: [1] }))).toEqual([
    ['rectiflow-bf16-1', 'rectiflow-bf16-1-undivided', 'pytorch-bf16-1'],
  ]);
});

it('samples are divided for every number of ranks', () => {
  const shards = rankMatches({ ...all, ranks: [1, 16] })
    .flat()
    .map((team) => team.shards);
  expect([...new Set(shards)].toSorted((a, b) => a - b)).toEqual([1, 16]);
});

it('a label says where ranks share cores, and what is undivided', () => {
  const [[undivided, alone, two, four], , [, torch]] = rankMatches(all) as [Team[], Team[], Team[]];
  expect([undivided!, alone!, two!, four!, torch!].map((team) => labelOf(team, 2, 1))).toEqual([
    'rectiflow, 1 process, undivided',
    'rectiflow, 1 process, 8 shards',
    'rectiflow, 2 ranks, 8 shards',
    'rectiflow, 4 ranks on 2 cores, 8 shards',
    'PyTorch DDP, 2 ranks',
  ]);
  expect(labelOf(two!, 2, 2)).toBe('rectiflow, 2 ranks on 2 cores, 8 shards');
});

it('the least that a rank sends is what it has of the others, and what the others lack', () => {
  expect(leastTraffic(1000, 1)).toBe(0);
  // Half of the gradients, and half of the weights.
  expect(leastTraffic(1000, 2)).toBe(500 * 4 + 500 * 4);
  // Three quarters of the gradients; a quarter of the weights, to three.
  expect(leastTraffic(1000, 4)).toBe(750 * 4 + 3 * 250 * 4);
});
