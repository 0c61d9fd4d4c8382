import { describe, expect, test } from 'vitest';
import { gaussianCells, shuffledCells } from '../../../src/report/expression/comparison/baselines.ts';
import { countLabels, evenShare } from '../../../src/data/expression/cell-set.ts';
import { areaUnderCurve, classifierAuc } from '../../../src/report/expression/comparison/classifier.ts';
import {
  type Points,
  maximumMeanDiscrepancy,
  medianDistance,
  shareNearer,
  wassersteinDistance,
} from '../../../src/report/expression/comparison/distances.ts';
import {
  correlation,
  correlations,
  meanVarianceRatio,
  momentsOf,
  mostVariable,
  slope,
  varianceRatio,
  withinClasses,
} from '../../../src/report/expression/comparison/gene-statistics.ts';
import { philoxNormal } from '../../../src/tensor/philox.ts';

const points = (width: number, ...values: number[]): Points => ({ width, values: Float64Array.from(values) });
const normal = (stream: number, count: number, width: number, scale = 1, shift = 0): Points => ({
  width,
  values: philoxNormal({ seed: 5, stream, step: 0, firstSample: 0, samples: count, elements: width }).map(
    (value) => scale * value + shift,
  ),
});

describe('distances', () => {
  test('of maximum mean discrepancy are those of the definition, and near 0 for one distribution', () => {
    const kernel = (distance: number): number => Math.exp(-(distance ** 2) / 8);
    const between = (kernel(1) + kernel(3) + kernel(3) + kernel(1)) / 4;
    expect(maximumMeanDiscrepancy(points(1, 0, 4), points(1, 1, 3), 2)).toBeCloseTo(
      kernel(4) + kernel(2) - 2 * between,
      12,
    );
    const [a, b] = [normal(1, 400, 3), normal(2, 400, 3)];
    expect(Math.abs(maximumMeanDiscrepancy(a, b, 2))).toBeLessThan(2e-3);
    // Two Gaussians a shift apart: (s^2 / (s^2 + 2))^(d/2) (1 - exp(-|shift|^2 / (2 (s^2 + 2)))) twice, s the bandwidth.
    const wanted = 2 * (4 / 6) ** 1.5 * (1 - Math.exp(-3 / 12));
    expect(maximumMeanDiscrepancy(a, normal(3, 400, 3, 1, 1), 2)).toBeCloseTo(wanted, 1);
  });

  test('have the median as bandwidth, or 1 where all is at one place', () => {
    expect(medianDistance(points(1, 0, 1, 5))).toBe(4);
    expect(medianDistance(points(2, 3, 3, 3, 3))).toBe(1);
  });

  test("of Wasserstein's are in deviations, over the axes that vary", () => {
    // Axis 0 is shifted by half of its deviation of 2, axis 1 does not vary.
    expect(wassersteinDistance(points(2, 0, 7, 4, 7), points(2, 5, 7, 1, 9))).toBeCloseTo(0.5, 12);
    const [a, b] = [normal(1, 2000, 1), normal(2, 2000, 1, 2)];
    // E|2 z - z| in one order: E|z|.
    expect(wassersteinDistance(a, b)).toBeCloseTo(Math.sqrt(2 / Math.PI), 1);
  });

  test('to the nearest tell what is learnt by heart', () => {
    const [trained, heldOut] = [points(1, 0, 10), points(1, 4, 20)];
    expect(shareNearer(points(1, 1, 9, 5), trained, heldOut)).toBeCloseTo(2 / 3, 12);
    expect(shareNearer(points(1, 2), trained, heldOut)).toBe(0.5);
    expect(shareNearer(trained, trained, heldOut)).toBe(1);
  });
});

describe('the classifier', () => {
  test('is judged by pairs in the right order', () => {
    expect(areaUnderCurve([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])).toBe(0.75);
    expect(areaUnderCurve([1, 1, 1, 1], [0, 1, 0, 1])).toBe(0.5);
    expect(areaUnderCurve([3, 2, 1], [0, 0, 1])).toBe(0);
  });

  test('finds nothing in one distribution, and a shift and a spread where they are', () => {
    const a = normal(1, 300, 5);
    expect(Math.abs(classifierAuc(a, normal(2, 300, 5)) - 0.5)).toBeLessThan(0.06);
    // Two Gaussians that are |shift| = 1 apart: the normal distribution's value at 1 / sqrt(2).
    expect(classifierAuc(a, normal(3, 300, 5, 1, 1 / Math.sqrt(5)))).toBeCloseTo(0.76, 1);
    expect(classifierAuc(a, normal(4, 300, 5, 0.3))).toBeGreaterThan(0.9);
    expect(classifierAuc(a, normal(5, 300, 5, 1, 50))).toBe(1);
  });
});

test('a share of many cells has of each class its part, evenly spaced, and one at least', () => {
  const labels = Array.from({ length: 1000 }, (_, cell) => (cell === 999 ? 2 : cell % 4 === 0 ? 1 : 0));
  const chosen = evenShare(labels, 3, 100);
  expect([
    ...countLabels(
      chosen.map((cell) => labels[cell]!),
      3,
    ),
  ]).toEqual([75, 25, 1]);
  const gaps = chosen.slice(1).map((cell, i) => cell - chosen[i]!);
  expect(Math.max(...gaps)).toBeLessThan(41);
  expect(evenShare(labels, 3, 1000)).toHaveLength(1000);
});

describe('genes', () => {
  const set = { values: Float32Array.of(0, 1, 2, 5, 4, 9), labels: [0, 0, 1] };

  test('have means, variances and zeros', () => {
    const { mean, variance, zeros } = momentsOf(set, 2);
    expect([...mean, ...variance].map((value) => value.toFixed(4))).toEqual(
      [2, 5, 8 / 3, 32 / 3].map((value) => value.toFixed(4)),
    );
    expect(zeros).toBeCloseTo(1 / 6, 12);
    expect(mostVariable(Float64Array.of(1, 3, 3, 2), 3)).toEqual([1, 2, 3]);
  });

  test('vary in proportions, of sums and along axes', () => {
    const [a, b] = [Float64Array.of(2, 2), Float64Array.of(1, 4)];
    expect(varianceRatio(a, b)).toBeCloseTo(0.8, 12);
    expect(varianceRatio(new Float64Array(2), new Float64Array(2))).toBe(1);
    expect(meanVarianceRatio(a, b)).toBeCloseTo(1, 12);
    expect(meanVarianceRatio(Float64Array.of(3, 9), Float64Array.of(1, 0))).toBeCloseTo(3, 12);
  });

  test('correlate within classes, and as Pearson says', () => {
    const centred = withinClasses(set, 2, 2);
    expect([...centred]).toEqual([-1, -2, 1, 2, 0, 0]);
    expect([...correlations(centred, 2, [0, 1])]).toEqual([expect.closeTo(1, 12)]);
    expect([...correlations(new Float64Array(4), 2, [0, 1])]).toEqual([0]);
    expect(correlation([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 12);
    expect(correlation([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1, 12);
    expect(correlation([1, 2, 3, 4], [1, 3, 2, 4])).toBeCloseTo(0.8, 12);
    expect(correlation([1, 1], [0, 1])).toBe(0);
    expect(slope([0, 1, 2], [1, 4, 7])).toBe(3);
    expect(slope([2, 2], [1, 5])).toBe(0);
  });
});

describe('cells without a network', () => {
  const labels = Array.from({ length: 400 }, (_, cell) => cell % 2);
  const { values: noise } = normal(7, 400, 3);
  // Gene 1 follows gene 0, gene 2 has noise of its own; class 1 lies elsewhere and is narrower.
  const values = Float32Array.from(noise, (own, i) => {
    const [cell, gene] = [Math.floor(i / 3), i % 3];
    const narrow = cell % 2 === 1 ? 0.5 : 1;
    return (cell % 2) * 4 + narrow * (gene === 1 ? 2 * noise[3 * cell]! : own);
  });
  const real = { values, labels };

  test('from a Gaussian have the mean and the covariance of their class', () => {
    const made = gaussianCells(real, 3, 2, 3);
    expect(Array.from(made.labels).filter((label) => label === 1)).toHaveLength(200);
    for (const label of [0, 1]) {
      const of = ({ values: all, labels: own }: { values: Float32Array; labels: ArrayLike<number> }) => {
        const chosen = Array.from(own, (_, cell) => cell).filter((cell) => own[cell] === label);
        return {
          values: Float32Array.from(
            chosen.flatMap((cell) => Array.from(all.subarray(3 * cell, 3 * cell + 3))),
          ),
          labels: chosen.map(() => 0),
        };
      };
      const [had, has] = [of(real), of(made)];
      const [wanted, found] = [momentsOf(had, 3), momentsOf(has, 3)];
      for (let gene = 0; gene < 3; gene++) {
        expect(Math.abs(found.mean[gene]! - wanted.mean[gene]!)).toBeLessThan(0.3);
        expect(found.variance[gene]! / wanted.variance[gene]!).toBeGreaterThan(0.75);
        expect(found.variance[gene]! / wanted.variance[gene]!).toBeLessThan(1.35);
      }
      expect(correlations(withinClasses(has, 3, 1), 3, [0, 1])[0]).toBeGreaterThan(0.95);
    }
  });

  test('from a Gaussian along few components have noise of their own for what is left', () => {
    // The component is gene 0, which says nothing of the others.
    const wide = {
      values: Float32Array.from(noise, (own, i) => (i % 3 === 0 ? 9 * own : own)),
      labels: labels.map(() => 0),
    };
    const made = gaussianCells(wide, 3, 1, 1);
    const [wanted, found] = [momentsOf(wide, 3).variance, momentsOf(made, 3).variance];
    for (let gene = 0; gene < 3; gene++) {
      expect(found[gene]! / wanted[gene]!).toBeGreaterThan(0.8);
      expect(found[gene]! / wanted[gene]!).toBeLessThan(1.25);
    }
    expect(Math.abs(correlations(withinClasses(made, 3, 1), 3, [1, 2])[0]!)).toBeLessThan(0.2);
  });

  test('from a shuffle have the values of each gene in each class, and none of its cells', () => {
    const shuffled = shuffledCells(real, 3, 2);
    for (const label of [0, 1]) {
      for (let gene = 0; gene < 3; gene++) {
        const column = (of: Float32Array): number[] =>
          labels
            .flatMap((own, cell) => (own === label ? [of[3 * cell + gene]!] : []))
            .toSorted((a, b) => a - b);
        expect(column(shuffled.values)).toEqual(column(values));
      }
    }
    const centred = withinClasses(shuffled, 3, 2);
    expect(Math.abs(correlations(centred, 3, [0, 1])[0]!)).toBeLessThan(0.2);
  });
});
