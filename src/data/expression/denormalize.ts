// From what a model makes back to expression: the inverse of the scale, zeros, and counts.
import { shapeError, valueError } from '../../tensor/errors.ts';
import { philoxUniform } from '../../tensor/philox.ts';
import { streams } from '../../tensor/random-streams.ts';
import type { ExpressionRecord } from './record.ts';
import { interpolate } from './scaling.ts';

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
  const { genes, zeroBelow } = record;
  const values = unscale(samples, record);
  if (zeroBelow === undefined) return values;
  const bounds = Float64Array.from({ length: samples.length / genes.length }, (_, cell) =>
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

export interface CountOptions {
  /** The class of each cell; left out for a model without classes. */
  readonly labels?: ArrayLike<number>;
  readonly seed: number;
}

/**
 * Counts, whole numbers: the total of each cell is drawn from those of its class in the training data, and what normalisation and
 * logarithm did is undone. Totals are over all genes of the file, also where only some were kept.
 * @param values [N, G], what `denormalize` gives
 * @throws RectiflowError where the training data were no counts
 */
export function toCounts(
  values: Float32Array,
  record: ExpressionRecord,
  options: CountOptions,
): Float32Array {
  const { genes, target, totals } = record;
  if (totals === undefined) {
    throw valueError(
      'toCounts',
      'record',
      'one of a run that was trained on counts',
      'one of normalised values',
    );
  }
  const { labels, seed } = options;
  const cells = values.length / genes.length;
  const key = { seed, stream: streams.sampleTotals, step: 0, firstSample: 0 };
  const drawn = philoxUniform({ ...key, samples: cells, elements: 1 });
  const scales = drawn.map((u, cell) => interpolate(ofClass('toCounts', totals, labels?.[cell]), u) / target);
  return values.map((value, i) => Math.round(Math.expm1(value) * scales[Math.floor(i / genes.length)]!));
}

/** What the record has of a class; of the only one where there are no labels. */
function ofClass<T>(where: string, values: readonly T[], label = 0): T {
  const value = values[label];
  if (value !== undefined) return value;
  throw valueError(where, 'labels', `classes from 0 to ${values.length - 1}`, label);
}
