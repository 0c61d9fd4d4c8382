// From what a model makes back to expression: the inverse of the scale, zeros, and counts.
import { shapeError, valueError } from '../../tensor/errors.ts';
import { philoxUniform } from '../../tensor/philox.ts';
import { streams } from '../../tensor/random-streams.ts';
import type { ExpressionRecord } from './record.ts';
import { interpolate } from './scaling.ts';

/**
 * Undoes the scale. Where the data have no negative values, what is below `zeroBelow` becomes 0: data have nothing between zero
 * and what one count has become, and samples that end there were on their way to one of the two.
 * @param samples [N, G], as a model makes them
 * @returns [N, G], normalised as the record says
 */
export function denormalize(samples: Float32Array, record: ExpressionRecord): Float32Array {
  const { genes, center, deviation, zeroBelow = -Infinity } = record;
  if (samples.length % genes.length !== 0) {
    throw shapeError('denormalize', 'samples', `[N, G] with G = ${genes.length}`, [samples.length]);
  }
  return samples.map((sample, i) => {
    const gene = i % genes.length;
    const value = sample * deviation[gene % deviation.length]! + center[gene % center.length]!;
    return value < zeroBelow ? 0 : value;
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
  const scales = drawn.map((u, cell) => {
    const ofClass = totals[labels?.[cell] ?? 0];
    if (ofClass === undefined) {
      throw valueError('toCounts', 'labels', `classes from 0 to ${totals.length - 1}`, labels?.[cell]);
    }
    return interpolate(ofClass, u) / target;
  });
  return values.map((value, i) => Math.round(Math.expm1(value) * scales[Math.floor(i / genes.length)]!));
}
