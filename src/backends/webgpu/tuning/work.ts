// Work that can be shared out in several ways, of which each device has its fastest.

import type { Matrices } from '../matrices.ts';

/** Kinds of such work. */
export const forms = ['product', 'rows', 'attention'] as const;
export type Form = (typeof forms)[number];

export interface Work<W> {
  readonly form: Form;
  /** What of the work matters for the choice: all with the same is shared out alike. */
  readonly key: string;
  /** By their names. Numbers differ with them by the order of sums at most. */
  readonly ways: Readonly<Record<string, W>>;
  /** The name of the way where none was measured. */
  readonly usual: string;
  /** How much there is to do, in floating-point operations, about. */
  readonly cost: number;
}

/** A sharing out of work that nothing is measured for. */
export interface FixedTuning {
  /** Invocations that share a row. 1 where barriers cost more than they save, as on adapters that are CPUs. */
  readonly lanes: number;
  /** `direct`: operands are read from memory; `tiled`: through memory of the workgroup. */
  readonly products: 'direct' | 'tiled';
  /** Whether lanes tell each other what they have within subgroups, as far as these reach, instead of by memory of the workgroup. */
  readonly subgroups?: boolean;
  /** Where products may be made of subgroup matrices, and usually are. */
  readonly matrices?: Matrices;
  /** Of forms of work the name of a way, which is taken wherever work of the form can be done so. */
  readonly ways?: Readonly<Partial<Record<Form, string>>>;
}

/** How kernels share out work. */
export interface Tuning extends FixedTuning {
  wayOf<W>(work: Work<W>): W;
}

/** The usual way of all work, but for those that are given by name. */
export function fixedTuning(fixed: FixedTuning): Tuning {
  return {
    ...fixed,
    wayOf: ({ form, ways, usual }) => ways[fixed.ways?.[form] ?? usual] ?? ways[usual]!,
  };
}

/** The power of 2 that is nearest, by its ratio: work of about the same extent is alike. */
export function rounded(extent: number): number {
  return extent === 0 ? 0 : 2 ** Math.round(Math.log2(extent));
}
