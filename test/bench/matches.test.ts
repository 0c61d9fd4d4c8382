import { expect, it } from 'vitest';
import { comparisons, matchesOf } from '../../bench/matches.ts';

const all = { threads: 2, peer: true, avx2: true };

it('the matches of a case hold every comparison', () => {
  const matches = matchesOf('s-256', all);
  for (const [a, b] of comparisons) {
    expect(matches.some((match) => match.includes(a) && match.includes(b))).toBe(true);
  }
});

it('what a machine lacks is left out, and nobody plays alone who plays with others', () => {
  expect(matchesOf('s-256', { ...all, peer: false })).toEqual([
    ['fp32', 'bf16'],
    ['bf16', 'bf16-1'],
    ['avx2-fp32'],
  ]);
  expect(matchesOf('b-256', { ...all, threads: 1 })).toEqual([
    ['bf16', 'torch-bf16', 'torch-fp32'],
    ['fp32', 'torch-fp32', 'bf16'],
  ]);
  expect(matchesOf('s-256', { ...all, only: ['bf16', 'torch-bf16'] })).toEqual([['bf16', 'torch-bf16']]);
  expect(matchesOf('s-256', { ...all, only: ['torch-bf16'], peer: false })).toEqual([]);
});
