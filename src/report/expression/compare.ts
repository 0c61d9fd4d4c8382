// How well generated cells agree with real ones that training never saw, in all and class by class, beside sets that say what each
// figure is worth: the real cells trained on (as near as cells come), a Gaussian per class, and a shuffle of genes within classes.
import { type GroupComparison, type Sets, compareGroup, mapSets } from './comparison/agreement.ts';
import { gaussianCells, shuffledCells } from './comparison/baselines.ts';
import {
  type CellSet,
  checkCells,
  countLabels,
  joinSets,
  ofClass,
  takeOfEach,
} from '../../data/expression/cell-set.ts';
import { fitProjection } from '../../data/expression/principal-components.ts';

export type { Agreement, ComparedSet, GroupComparison } from './comparison/agreement.ts';
export type { CellSet } from '../../data/expression/cell-set.ts';

export interface CellComparison {
  readonly all: GroupComparison;
  readonly classes: readonly GroupComparison[];
  /** Classes of which one of the sets has fewer than two cells. */
  readonly leftOut: readonly string[];
}

/** Principal components: more of a few hundred cells are mostly noise. */
const COMPONENTS = 20;

export interface CompareOptions {
  /** What turns raw values into cells like those of a file, for the Gaussian; by default they stay as they are. */
  readonly finish?: (cells: CellSet) => Float32Array;
  /** Called between two groups, to show progress and to stop by throwing. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Compares as many cells of each class in every set, so that neither numbers nor proportions of classes make a difference.
 * @param genes G
 * @throws RectiflowError when a set's sizes do not fit
 */
export function compareExpression(
  sets: Readonly<Record<'generated' | 'trained' | 'heldOut', CellSet>>,
  genes: number,
  classNames: readonly string[],
  { finish = ({ values }) => values, onProgress = () => {} }: CompareOptions = {},
): CellComparison {
  const classes = classNames.length;
  for (const [name, set] of Object.entries(sets)) checkCells(name, set, genes, classes);
  const counts = [sets.heldOut, sets.trained, sets.generated].map(({ labels }) =>
    countLabels(labels, classes),
  );
  const common = Int32Array.from(classNames, (_, label) => Math.min(...counts.map((count) => count[label]!)));
  const compared = common.map((count) => (count < 2 ? 0 : count));
  const leftOut = classNames.filter((_, label) => compared[label] === 0);
  const matched = (set: CellSet): CellSet => takeOfEach(set, genes, compared);
  const [heldOut, trained] = [matched(sets.heldOut), matched(sets.trained)];
  const gaussian = matched(gaussianCells(sets.trained, genes, classes, COMPONENTS));
  const all: Sets = {
    heldOut,
    trained,
    generated: matched(sets.generated),
    gaussian: { ...gaussian, values: finish(gaussian) },
    shuffled: shuffledCells(trained, genes, classes),
  };
  const projection = fitProjection(joinSets(heldOut, trained).values, genes, COMPONENTS);
  const kept = [...compared.keys()].filter((label) => compared[label]! > 0);
  let done = 0;
  const group = (own: Sets, contrasts: readonly number[], name?: string): GroupComparison => {
    onProgress(done++, kept.length + 1);
    return compareGroup(own, { genes, classes, projection, all, contrasts }, name);
  };
  const whole = group(all, kept);
  const byClass =
    classNames.length === 1
      ? []
      : kept.map((label) => {
          const own = mapSets(all, (set) => ofClass(set, genes, label));
          return group(own, [label], classNames[label]!);
        });
  onProgress(done, done);
  return { all: whole, classes: byClass, leftOut };
}
