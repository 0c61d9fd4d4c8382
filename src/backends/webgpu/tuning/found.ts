// The work of a program that can be shared out in several ways.
import { type MemoryPlan, type Program, isWork } from '../../../program/index.ts';
import type { Node } from '../../../tensor/tensor.ts';
import { contextApart } from '../described.ts';
import type { Dispatch, Tuning } from '../dispatch.ts';
import { kernelOf } from '../joins/index.ts';
import type { FixedTuning, Work } from './work.ts';

/** A class of work, and the node of a program that does most of it. */
export interface Found {
  readonly work: Work<unknown>;
  readonly node: Node;
  /** What all of it in the program costs. */
  readonly cost: number;
}

/** @returns one for each class, what costs most first */
export function worksOf(program: Program, plan: MemoryPlan, tuning: Tuning): Found[] {
  const found = new Map<string, Found>();
  for (const node of program.nodes.filter(isWork)) {
    const hear = (work: Work<unknown>): void => {
      const known = found.get(work.key);
      const isLargest = known === undefined || work.cost > known.work.cost;
      const cost = work.cost + (known?.cost ?? 0);
      found.set(work.key, isLargest ? { work, node, cost } : { ...known, cost });
    };
    kernelOf(node)!(node, contextApart(plan, hearing(tuning, hear)));
  }
  return [...found.values()]
    .filter(({ work }) => Object.keys(work.ways).length > 1)
    .toSorted((a, b) => b.cost - a.cost);
}

function hearing(tuning: Tuning, hear: (work: Work<unknown>) => void): Tuning {
  return {
    ...fixedOf(tuning),
    wayOf(work) {
      hear(work);
      return tuning.wayOf(work);
    },
  };
}

/** What a node is made of where its work of one class is shared out in a certain way, and all other as it would be. */
export function dispatchesBy(
  node: Node,
  plan: MemoryPlan,
  { tuning, key, way }: { readonly tuning: Tuning; readonly key: string; readonly way: string },
): readonly Dispatch[] {
  const chosen: Tuning = {
    ...fixedOf(tuning),
    wayOf: (work) => (work.key === key ? work.ways[way] : undefined) ?? tuning.wayOf(work),
  };
  return kernelOf(node)!(node, contextApart(plan, chosen));
}

const fixedOf = ({ lanes, products, subgroups = false, matrices }: Tuning): FixedTuning => ({
  lanes,
  products,
  subgroups,
  ...(matrices && { matrices }),
});
