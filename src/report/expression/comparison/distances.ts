// How far two sets of points are from being of one distribution.

/** Points, row-major. */
export interface Points {
  /** [N, width] */
  readonly values: Float64Array;
  readonly width: number;
}

export function countOf({ values, width }: Points): number {
  return values.length / width;
}

/**
 * The square of the maximum mean discrepancy with a Gaussian kernel, exp(-|x - y|^2 / (2 bandwidth^2)), estimated without bias
 * (Gretton et al. 2012, JMLR 13, equation 3): around 0 for two sets of one distribution, so it may be negative.
 * @param a @param b two points each at least
 */
export function maximumMeanDiscrepancy(a: Points, b: Points, bandwidth: number): number {
  const kernel = (squared: number): number => Math.exp(-squared / (2 * bandwidth ** 2));
  const within = (set: Points): number => {
    const count = countOf(set);
    let sum = 0;
    forEachPair(set, (squared) => (sum += kernel(squared)));
    return (2 * sum) / (count * (count - 1));
  };
  let between = 0;
  for (let i = 0; i < countOf(a); i++) {
    for (let j = 0; j < countOf(b); j++) between += kernel(squaredDistance(a, i, b, j));
  }
  return within(a) + within(b) - (2 * between) / (countOf(a) * countOf(b));
}

/** The median distance between two points of a set: the usual bandwidth. 1 where all are at one place. */
export function medianDistance(set: Points): number {
  const count = countOf(set);
  const squares = new Float64Array((count * (count - 1)) / 2);
  let at = 0;
  forEachPair(set, (squared) => (squares[at++] = squared));
  return Math.sqrt(squares.toSorted()[Math.floor(squares.length / 2)] ?? 0) || 1;
}

/**
 * Wasserstein's distance of order 1 along each axis, in deviations of `a` there, averaged over the axes. An axis along which `a`
 * does not vary is left out.
 * @param b as many points as `a`
 */
export function wassersteinDistance(a: Points, b: Points): number {
  let [sum, axes] = [0, 0];
  for (let axis = 0; axis < a.width; axis++) {
    const [from, to] = [sortedAxis(a, axis), sortedAxis(b, axis)];
    const deviation = Math.sqrt(varianceOf(from));
    if (deviation === 0) continue;
    sum += from.reduce((total, value, i) => total + Math.abs(value - to[i]!), 0) / from.length / deviation;
    axes++;
  }
  return axes === 0 ? 0 : sum / axes;
}

/**
 * The share of the points that are nearer to one of `trained` than to any of `heldOut`: a half where nothing is learnt by heart,
 * 1 where all of it is. Equal distances count as halves.
 * @param heldOut as many points as `trained`
 */
export function shareNearer(points: Points, trained: Points, heldOut: Points): number {
  let share = 0;
  for (let i = 0; i < countOf(points); i++) {
    const difference = nearest(points, i, trained) - nearest(points, i, heldOut);
    share += difference < 0 ? 1 : difference === 0 ? 1 / 2 : 0;
  }
  return share / countOf(points);
}

function nearest(points: Points, i: number, set: Points): number {
  let least = Infinity;
  for (let j = 0; j < countOf(set); j++) least = Math.min(least, squaredDistance(points, i, set, j));
  return least;
}

function forEachPair(set: Points, visit: (squared: number) => void): void {
  for (let i = 0; i < countOf(set); i++) {
    for (let j = 0; j < i; j++) visit(squaredDistance(set, i, set, j));
  }
}

function squaredDistance(a: Points, i: number, b: Points, j: number): number {
  let sum = 0;
  for (let axis = 0; axis < a.width; axis++) {
    sum += (a.values[i * a.width + axis]! - b.values[j * b.width + axis]!) ** 2;
  }
  return sum;
}

function sortedAxis({ values, width }: Points, axis: number): Float64Array {
  return Float64Array.from({ length: values.length / width }, (_, i) => values[i * width + axis]!).toSorted();
}

function varianceOf(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}
