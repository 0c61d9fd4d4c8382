// One group of cells, all of them or those of a class, in figures.
import { type CellSet, countLabels } from '../../../data/expression/cell-set.ts';
import { classifierAuc } from './classifier.ts';
import {
  type Points,
  maximumMeanDiscrepancy,
  medianDistance,
  shareNearer,
  wassersteinDistance,
} from './distances.ts';
import {
  correlation,
  correlations,
  meanVarianceRatio,
  momentsOf,
  mostVariable,
  slope,
  varianceRatio,
  withinClasses,
} from './gene-statistics.ts';
import { type Projection, project } from '../../../data/expression/principal-components.ts';

/** The sets that are held against the cells held out. */
export type ComparedSet = 'generated' | 'trained' | 'gaussian' | 'shuffled';

/** How a set of cells agrees with as many held out, of the same classes. */
export interface Agreement {
  /** Pearson's, of the genes' mean expression. */
  readonly correlation: number;
  /** The share of all values that are zero. */
  readonly zeros: number;
  /** The variance of the genes, summed, in proportion to that of the cells held out. */
  readonly geneVariance: number;
  /** The same along principal components, averaged as a logarithm. */
  readonly componentVariance: number;
  /** Pearson's, of the correlations between genes among the cells of a class. */
  readonly geneCorrelation: number;
  /** Of the log-fold changes of a class against the others, on those of the cells held out; in all: over all classes. */
  readonly foldChangeSlope?: number;
  /** The squared maximum mean discrepancy on principal components: unbiased, so around 0 where nothing differs. */
  readonly mmd: number;
  /** Wasserstein's distance along principal components, in deviations. */
  readonly wasserstein: number;
  /** How well a classifier tells the cells from those held out: 0.5 not at all. Absent for few cells. */
  readonly auc?: number;
  /** The share of cells that are nearer to one trained on than to one held out: a half where nothing is learnt by heart. */
  readonly nearTrained: number;
}

export interface GroupComparison extends Readonly<Record<ComparedSet, Agreement>> {
  /** Of the class; undefined for all of them together. */
  readonly name?: string;
  /** How many cells of each set are compared. */
  readonly cells: number;
  /** Of the cells held out. */
  readonly zeros: number;
}

/** Pairs of more genes are mostly noise. */
const CORRELATED_GENES = 100;
/** Fewer cells leave a classifier too little to learn from. */
const FEWEST_CLASSIFIED = 30;

export type Sets = Readonly<Record<ComparedSet | 'heldOut', CellSet>>;

export interface GroupContext {
  readonly genes: number;
  readonly classes: number;
  readonly projection: Projection;
  /** Of all classes. */
  readonly all: Sets;
  /** Classes whose log-fold changes are compared. */
  readonly contrasts: readonly number[];
}

/** @param own the group's cells of each set, as many of each class in all of them */
export function compareGroup(own: Sets, context: GroupContext, name?: string): GroupComparison {
  const { genes, classes, projection } = context;
  const width = projection.components.length;
  const points = mapSets(own, (set): Points => ({ values: project(set.values, projection), width }));
  const real = momentsOf(own.heldOut, genes);
  const along = ({ values }: Points): Float64Array =>
    momentsOf({ values: Float32Array.from(values) }, width).variance;
  const chosen = mostVariable(real.variance, CORRELATED_GENES);
  const pairs = (set: CellSet): Float64Array =>
    correlations(withinClasses(set, genes, classes), genes, chosen);
  const realPairs = pairs(own.heldOut);
  const bandwidth = medianDistance(points.heldOut);
  const cells = own.heldOut.labels.length;
  const agree = (which: ComparedSet): Agreement => {
    const moments = momentsOf(own[which], genes);
    const foldChangeSlope = slopeOfFoldChanges(context, which);
    return {
      correlation: correlation(moments.mean, real.mean),
      zeros: moments.zeros,
      geneVariance: varianceRatio(moments.variance, real.variance),
      componentVariance: meanVarianceRatio(along(points[which]), along(points.heldOut)),
      geneCorrelation: correlation(pairs(own[which]), realPairs),
      ...(foldChangeSlope !== undefined && { foldChangeSlope }),
      mmd: maximumMeanDiscrepancy(points.heldOut, points[which], bandwidth),
      wasserstein: wassersteinDistance(points.heldOut, points[which]),
      ...(cells >= FEWEST_CLASSIFIED && { auc: classifierAuc(points.heldOut, points[which]) }),
      nearTrained: shareNearer(points[which], points.trained, points.heldOut),
    };
  };
  return {
    ...(name !== undefined && { name }),
    cells,
    zeros: real.zeros,
    generated: agree('generated'),
    trained: agree('trained'),
    gaussian: agree('gaussian'),
    shuffled: agree('shuffled'),
  };
}

/** Of logarithms of expression, differences of means are log-fold changes. Undefined where there is one class. */
function slopeOfFoldChanges(
  { all, genes, contrasts, classes }: GroupContext,
  which: ComparedSet,
): number | undefined {
  if (countLabels(all.heldOut.labels, classes).filter((count) => count > 0).length < 2) return undefined;
  const changes = (set: CellSet): number[] => contrasts.flatMap((label) => foldChanges(set, genes, label));
  return slope(changes(all.heldOut), changes(all[which]));
}

/** Of each gene: the mean among the cells of a class less that among all others. */
function foldChanges({ values, labels }: CellSet, genes: number, label: number): number[] {
  const own = new Float64Array(genes);
  const others = new Float64Array(genes);
  let count = 0;
  for (let cell = 0; cell < labels.length; cell++) {
    const isOwn = labels[cell] === label;
    if (isOwn) count++;
    const sums = isOwn ? own : others;
    for (let gene = 0; gene < genes; gene++) sums[gene]! += values[cell * genes + gene]!;
  }
  return Array.from(own, (sum, gene) => sum / count - others[gene]! / (labels.length - count));
}

export function mapSets<T>(sets: Sets, change: (set: CellSet) => T): Record<ComparedSet | 'heldOut', T> {
  return {
    heldOut: change(sets.heldOut),
    generated: change(sets.generated),
    trained: change(sets.trained),
    gaussian: change(sets.gaussian),
    shuffled: change(sets.shuffled),
  };
}
