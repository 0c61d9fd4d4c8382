// Who stands beside whom in the measurement of a training step, and what is read off it.
import { type CaseName, type VariantName, variants } from './cases.ts';
import type { Comparison } from './scores.ts';

/** As many processes at a time as fit in memory. */
const matches: readonly (readonly VariantName[])[] = [
  ['bf16', 'torch-bf16', 'torch-fp32'],
  ['fp32', 'torch-fp32', 'bf16'],
  ['avx2-fp32', 'torch-fp32'],
  ['bf16', 'bf16-1'],
];

export const comparisons: readonly Comparison<VariantName>[] = [
  ['bf16', 'torch-bf16'],
  ['bf16', 'torch-fp32'],
  ['fp32', 'torch-fp32'],
  ['avx2-fp32', 'torch-fp32'],
  ['bf16', 'fp32'],
  ['bf16', 'bf16-1'],
];

export const stepVariants: readonly VariantName[] = [...new Set(matches.flat())];

export interface Available {
  readonly threads: number;
  /** Whether there is PyTorch. */
  readonly peer: boolean;
  /** The only ones to measure; all by default. */
  readonly only?: readonly string[] | undefined;
  /** Whether the machine has AVX2. */
  readonly avx2: boolean;
}

/** The matches of a case, without those that another one contains. */
export function matchesOf(name: CaseName, { threads, peer, only, avx2 }: Available): VariantName[][] {
  const plays = (variant: VariantName): boolean =>
    (peer || variants[variant].by === 'rectiflow') &&
    (only?.includes(variant) ?? true) &&
    (variant !== 'avx2-fp32' || (avx2 && name === 's-256')) &&
    (variant !== 'bf16-1' || threads > 1);
  return withoutContained(matches.map((match) => match.filter(plays)));
}

/** Without matches of nobody, and those that another one contains; the largest first. */
export function withoutContained<Name extends string>(all: readonly Name[][]): Name[][] {
  const chosen: Name[][] = [];
  for (const match of all.toSorted((a, b) => b.length - a.length)) {
    const isContained = chosen.some((other) => match.every((name) => other.includes(name)));
    if (match.length > 0 && !isContained) chosen.push(match);
  }
  return chosen;
}
