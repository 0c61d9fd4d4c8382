// From what a model makes back to expression: the inverse of the scale, zeros, and counts.
import { shapeError, valueError } from '../../tensor/errors.ts';
import { philoxUniform } from '../../tensor/philox.ts';
import { streams } from '../../tensor/random-streams.ts';
import type { ExpressionRecord } from './record.ts';
import { interpolate } from './quantile.ts';

export interface CellOptions {
  /** The class of each cell; left out for a model without classes. */
  readonly labels?: ArrayLike<number>;
  /** Totals are a function of it and of a cell's place. */
  readonly seed: number;
}

export interface MadeCells {
  /** [N, G], normalised as the training data were. */
  readonly values: Float32Array;
  /** [N, G], whole numbers, of which `values` are made; where the training data were counts. */
  readonly counts?: Float32Array;
}

/**
 * Samples as cells: what a file of them holds.
 * @param samples [N, G], as a model makes them
 * @throws RectiflowError when the sizes do not fit, or a label is outside the classes
 */
export function toCells(samples: Float32Array, record: ExpressionRecord, options: CellOptions): MadeCells {
  return finishCells(unscale(samples, record), record, options);
}

/** The same for values without scale, from wherever they are. @param values [N, G] */
export function finishCells(values: Float32Array, record: ExpressionRecord, options: CellOptions): MadeCells {
  if (record.totals === undefined) return { values: cutToZero(values, record, options.labels) };
  const counts = toCounts(values, record, options);
  return { values: normalizeCounts(counts, record, options), counts };
}

/**
 * Undoes the scale. Where the data have no negative values, what is below half of what one count becomes in a typical cell of the
 * class is 0: data have nothing between the two, and samples that end there were on their way to one of them.
 * @param samples [N, G], as a model makes them
 * @param labels the class of each cell; left out for a model without classes
 * @returns [N, G], normalised as the record says
 * @throws RectiflowError when the sizes do not fit, or a label is outside the classes
 */
export function denormalize(
  samples: Float32Array,
  record: ExpressionRecord,
  labels?: ArrayLike<number>,
): Float32Array {
  return cutToZero(unscale(samples, record), record, labels);
}

function cutToZero(
  values: Float32Array,
  { genes, zeroBelow }: ExpressionRecord,
  labels?: ArrayLike<number>,
): Float32Array {
  if (zeroBelow === undefined) return values;
  const bounds = Float64Array.from({ length: values.length / genes.length }, (_, cell) =>
    ofClass('denormalize', zeroBelow, labels?.[cell]),
  );
  return values.map((value, i) => (value < bounds[Math.floor(i / genes.length)]! ? 0 : value));
}

/**
 * Undoes the scale alone, to the precision of float32; what was 0 is 0 again. @param samples [N, G] @returns [N, G]
 * @throws RectiflowError when the sizes do not fit
 */
export function unscale(samples: Float32Array, { genes, center, deviation }: ExpressionRecord): Float32Array {
  if (samples.length % genes.length !== 0) {
    throw shapeError('denormalize', 'samples', `[N, G] with G = ${genes.length}`, [samples.length]);
  }
  return samples.map((sample, i) => {
    const gene = i % genes.length;
    const [scale, shift] = [deviation[gene % deviation.length]!, center[gene % center.length]!];
    const value = sample * scale + shift;
    return Math.abs(value) < 1e-6 * Math.abs(shift) ? 0 : value;
  });
}

/**
 * Counts, whole numbers, that add up in each cell to a total which is drawn from those of its class in the training data: values
 * say in which proportions. What would be less than half a count is 0, and the rest is rounded so that the sum stays (largest
 * remainders). A cell without any value above that stays empty.
 * @param values [N, G], normalised and without scale; negative ones are 0
 * @throws RectiflowError where the training data were no counts
 */
export function toCounts(values: Float32Array, record: ExpressionRecord, options: CellOptions): Float32Array {
  const { genes, target } = record;
  const counts = new Float32Array(values.length);
  drawTotals('toCounts', values, record, options).forEach(({ total, kept }, cell) => {
    const row = values.subarray(cell * genes.length, (cell + 1) * genes.length);
    const parts = Float64Array.from(row, (value) => Math.max(0, (Math.expm1(value) * total) / target));
    counts.set(kept === undefined ? parts.map(Math.round) : roundTo(kept, parts), cell * genes.length);
  });
  return counts;
}

/**
 * What counts become when they are normalised as the training data were.
 * @param counts [N, G], as `toCounts` gives them with the same options
 * @throws RectiflowError where the training data were no counts
 */
export function normalizeCounts(
  counts: Float32Array,
  record: ExpressionRecord,
  options: CellOptions,
): Float32Array {
  const totals = drawTotals('normalizeCounts', counts, record, options);
  const { genes, target } = record;
  return counts.map((count, i) => Math.log1p((count * target) / totals[Math.floor(i / genes.length)]!.total));
}

interface Totals {
  /** Over all genes of the file, 1 at least. */
  readonly total: number;
  /** Over those that the model knows; undefined where the record is of a version that did not say. */
  readonly kept: number | undefined;
}

/** Cells with many counts have many of the kept genes, too: both are the same quantile of what the class has. */
function drawTotals(
  where: string,
  values: Float32Array,
  { genes, totals, keptTotals }: ExpressionRecord,
  { labels, seed }: CellOptions,
): Totals[] {
  if (totals === undefined) {
    throw valueError(where, 'record', 'one of a run that was trained on counts', 'one of normalised values');
  }
  const key = { seed, stream: streams.sampleTotals, step: 0, firstSample: 0 };
  const drawn = philoxUniform({ ...key, samples: values.length / genes.length, elements: 1 });
  return Array.from(drawn, (u, cell) => {
    const total = Math.max(1, Math.round(interpolate(ofClass(where, totals, labels?.[cell]), u)));
    if (keptTotals === undefined) return { total, kept: undefined };
    return { total, kept: Math.round(interpolate(ofClass(where, keptTotals, labels?.[cell]), u)) };
  });
}

/** Times that the scale is corrected for what it makes less than half: it changes by less than a rounding soon. */
const CORRECTIONS = 8;

/** Whole numbers in the proportions of `parts`, which are about as large, that add up to `sum`. */
function roundTo(sum: number, parts: Float64Array): Float64Array {
  let scale = 1;
  for (let i = 0; i < CORRECTIONS; i++) {
    const counted = parts.reduce((total, part) => total + (part * scale < 0.5 ? 0 : part), 0);
    if (counted === 0) return new Float64Array(parts.length);
    scale = sum / counted;
  }
  const scaled = parts.map((part) => (part * scale < 0.5 ? 0 : part * scale));
  const whole = scaled.map(Math.floor);
  const remainder = (gene: number): number => scaled[gene]! - whole[gene]!;
  const left = sum - whole.reduce((total, count) => total + count, 0);
  const largest = [...scaled.keys()]
    .filter((gene) => scaled[gene]! > 0)
    .toSorted((i, j) => remainder(j) - remainder(i) || i - j);
  for (const gene of largest.slice(0, left)) whole[gene]!++;
  return whole;
}

/** What the record has of a class; of the only one where there are no labels. */
function ofClass<T>(where: string, values: readonly T[], label = 0): T {
  const value = values[label];
  if (value !== undefined) return value;
  throw valueError(where, 'labels', `classes from 0 to ${values.length - 1}`, label);
}
