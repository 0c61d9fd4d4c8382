// The figures of `rectiflow compare` as tables: a group of rows for all cells, and one for each class.
import type { ExpressionComparison } from '../report/compare.ts';
import type { Agreement, ComparedSet, GroupComparison } from '../report/expression/compare.ts';
import { formatInteger, formatTable } from './format.ts';
import { counted } from '../tensor/counted.ts';

const titles: readonly (readonly [ComparedSet, string])[] = [
  ['generated', 'generated'],
  ['trained', 'trained on'],
  ['gaussian', 'Gaussian of each class'],
  ['shuffled', 'shuffled in each class'],
];

const header: readonly (readonly string[])[] = [
  ['', 'mean', 'zeros', 'variance', 'variance', 'gene-gene', 'fold', 'MMD²', 'Wasser-', 'AUC', 'nearer to'],
  ['', '', '%', 'genes', 'PCs', 'corr.', 'slope', 'x 1000', 'stein', '', 'trained %'],
];

const legend = [
  'mean: correlation of mean expression. variance: over that of the cells held out, of genes and along principal components.',
  'gene-gene: how alike genes correlate within classes. fold: slope of log-fold changes of a class against the others.',
  'MMD², Wasserstein: distances on principal components. AUC: of a classifier that tells cells from those held out.',
  'nearer to trained: cells whose nearest real cell was trained on, 50 % unless cells are learnt by heart.',
];

/** Lines of all tables. */
export function comparisonLines({ all, classes, leftOut, step, heldOut }: ExpressionComparison): string[] {
  const of = heldOut.read < heldOut.cells ? `, of ${formatInteger(heldOut.cells)}` : '';
  return [
    `step ${formatInteger(step)}, beside ${counted(heldOut.read, 'cell')} held out${of}`,
    ...formatTable([
      ...header,
      ...groupRows(all, 'all'),
      ...classes.flatMap((group) => groupRows(group, group.name!)),
    ]),
    '',
    ...legend,
    ...(leftOut.length > 0 ? [`Left out, for want of two cells in each set: ${leftOut.join(', ')}`] : []),
  ];
}

function groupRows(group: GroupComparison, name: string): string[][] {
  const { cells, zeros } = group;
  const few = cells < fewCells ? ', too few to say much' : '';
  const perfect = [
    '1',
    percent(zeros),
    '1',
    '1',
    '1',
    group.generated.foldChangeSlope === undefined ? '' : '1',
    '0',
    '0',
    '0.5',
    '50',
  ];
  return [
    [''],
    [`${name}: ${counted(cells, 'cell')} of each set${few}`],
    ['  held out: as it should be', ...perfect],
    ...titles.map(([set, title]) => [`  ${title}`, ...figures(group[set])]),
  ];
}

/** Figures of fewer cells move more by chance than they say. */
const fewCells = 30;

function figures(of: Agreement): string[] {
  return [
    of.correlation.toFixed(3),
    percent(of.zeros),
    of.geneVariance.toFixed(2),
    of.componentVariance.toFixed(2),
    of.geneCorrelation.toFixed(3),
    of.foldChangeSlope?.toFixed(2) ?? '',
    (1000 * of.mmd).toFixed(1),
    of.wasserstein.toFixed(3),
    of.auc?.toFixed(2) ?? '',
    (100 * of.nearTrained).toFixed(0),
  ];
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}
