// Whether a classifier can tell two sets of points apart.
import { type Points, countOf } from './distances.ts';

const FOLDS = 5;
const NEWTON_STEPS = 25;
/** Of the squared weights, beside the summed loss: keeps separable sets finite. */
const RIDGE = 1;

/**
 * The area under the ROC curve of a logistic regression that tells `a` from `b` by the coordinates and their squares (so that it
 * sees a shift and a spread), each point judged by a model that was fitted without it: 0.5 where nothing tells them apart, 1 where it
 * is always right. Chance moves it by about 0.3 / sqrt(N).
 * @param a @param b ten points each at least, or too little is left to fit
 */
export function classifierAuc(a: Points, b: Points): number {
  const coordinates = standardize([...rowsOf(a), ...rowsOf(b)]);
  const squared = coordinates.map((row) => [...row, ...row.map((x) => x * x)]);
  const features = standardize(squared).map((row) => [1, ...row]);
  const isSecond = features.map((_, i) => (i < countOf(a) ? 0 : 1));
  // The first of each set, the second of each set, ...: every fold has its share of both.
  const foldOf = features.map((_, i) => (i < countOf(a) ? i : i - countOf(a)) % FOLDS);
  const scores = new Float64Array(features.length);
  for (let fold = 0; fold < FOLDS; fold++) {
    const others = [...features.keys()].filter((i) => foldOf[i] !== fold);
    const weights = fitLogistic(
      others.map((i) => features[i]!),
      others.map((i) => isSecond[i]!),
    );
    features.forEach((row, i) => {
      if (foldOf[i] === fold) scores[i] = score(row, weights);
    });
  }
  return areaUnderCurve(scores, isSecond);
}

/** The share of pairs of a 0 and a 1 in which the 1 has the higher score; ties count as halves. */
export function areaUnderCurve(scores: ArrayLike<number>, labels: readonly number[]): number {
  const order = [...labels.keys()].toSorted((i, j) => scores[i]! - scores[j]!);
  let [ranks, ones] = [0, 0];
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) end++;
    for (let at = start; at < end; at++) {
      if (labels[order[at]!] !== 1) continue;
      ranks += (start + end + 1) / 2;
      ones++;
    }
    start = end;
  }
  return (ranks - (ones * (ones + 1)) / 2) / (ones * (labels.length - ones));
}

function rowsOf({ values, width }: Points): number[][] {
  return Array.from({ length: values.length / width }, (_, i) => [
    ...values.subarray(i * width, (i + 1) * width),
  ]);
}

/** Columns with mean 0 and deviation 1; one that does not vary is 0. */
function standardize(rows: readonly number[][]): number[][] {
  const columns = Array.from({ length: rows[0]!.length }, (_, column) => {
    const mean = rows.reduce((sum, row) => sum + row[column]!, 0) / rows.length;
    const variance = rows.reduce((sum, row) => sum + (row[column]! - mean) ** 2, 0) / rows.length;
    return { mean, deviation: Math.sqrt(variance) || 1 };
  });
  return rows.map((row) => columns.map(({ mean, deviation }, i) => (row[i]! - mean) / deviation));
}

/** Ridge-penalised logistic regression by Newton's method; the first column, of ones, is not penalised. */
function fitLogistic(rows: readonly number[][], labels: readonly number[]): Float64Array {
  const width = rows[0]!.length;
  const weights = new Float64Array(width);
  for (let step = 0; step < NEWTON_STEPS; step++) {
    const gradient = weights.map((weight, i) => (i === 0 ? 0 : RIDGE * weight));
    const hessian = Array.from({ length: width }, (_, i) => {
      const row = new Float64Array(width);
      row[i] = i === 0 ? 1e-9 : RIDGE;
      return row;
    });
    rows.forEach((row, n) => {
      const probability = 1 / (1 + Math.exp(-score(row, weights)));
      const curvature = probability * (1 - probability);
      for (let i = 0; i < width; i++) {
        gradient[i]! += (probability - labels[n]!) * row[i]!;
        const factor = curvature * row[i]!;
        for (let j = 0; j <= i; j++) hessian[i]![j]! += factor * row[j]!;
      }
    });
    const change = solve(hessian, gradient);
    for (let i = 0; i < width; i++) weights[i]! -= change[i]!;
    if (change.every((part) => Math.abs(part) < 1e-8)) break;
  }
  return weights;
}

function score(row: readonly number[], weights: Float64Array): number {
  return row.reduce((sum, value, i) => sum + value * weights[i]!, 0);
}

/** x of A x = b, by Cholesky's decomposition in place. @param a symmetric and positive definite, of which the lower half is read */
function solve(a: Float64Array[], b: Float64Array): Float64Array {
  const width = b.length;
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i]![j]!;
      for (let k = 0; k < j; k++) sum -= a[i]![k]! * a[j]![k]!;
      a[i]![j] = i === j ? Math.sqrt(sum) : sum / a[j]![j]!;
    }
  }
  const x = b.slice();
  for (let i = 0; i < width; i++) {
    for (let k = 0; k < i; k++) x[i]! -= a[i]![k]! * x[k]!;
    x[i]! /= a[i]![i]!;
  }
  for (let i = width - 1; i >= 0; i--) {
    for (let k = i + 1; k < width; k++) x[i]! -= a[k]![i]! * x[k]!;
    x[i]! /= a[i]![i]!;
  }
  return x;
}
