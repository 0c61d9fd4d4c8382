// Principal components: the plane in which cells differ most, to look at them.
import { philoxNormal } from '../../tensor/philox.ts';

export interface Projection {
  readonly mean: Float64Array;
  /** Two directions of length 1, [G] each, at right angles. */
  readonly components: readonly [Float64Array, Float64Array];
}

export type Point = readonly [x: number, y: number];

const ITERATIONS = 60;
/** More directions than are wanted: those wanted then converge faster. */
const DIRECTIONS = 6;

/**
 * The first two principal components, by orthogonal iteration (Golub & Van Loan, Matrix Computations, 7.3.2) with the data as they
 * are: no matrix of genes by genes is made.
 * @param values [N, G]
 */
export function fitProjection(values: Float32Array, genes: number): Projection {
  const cells = values.length / genes;
  const mean = new Float64Array(genes);
  for (let i = 0; i < values.length; i++) mean[i % genes]! += values[i]! / cells;
  const start = philoxNormal({
    seed: 0,
    stream: 0,
    step: 0,
    firstSample: 0,
    samples: DIRECTIONS,
    elements: genes,
  });
  let directions: Float64Array[] = Array.from({ length: DIRECTIONS }, (_, i) =>
    start.slice(i * genes, (i + 1) * genes),
  );
  orthonormalize(directions);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    directions = multiplyByCovariance(values, mean, directions);
    orthonormalize(directions);
  }
  return { mean, components: [orient(directions[0]!), orient(directions[1]!)] };
}

/** Where cells are in the plane. @param values [N, G] */
export function project(values: Float32Array, { mean, components }: Projection): Point[] {
  const genes = mean.length;
  return Array.from({ length: values.length / genes }, (_, cell) => {
    const along = (direction: Float64Array): number => {
      let sum = 0;
      for (let gene = 0; gene < genes; gene++) {
        sum += (values[cell * genes + gene]! - mean[gene]!) * direction[gene]!;
      }
      return sum;
    };
    return [along(components[0]), along(components[1])] as const;
  });
}

/** X^T X v for each direction v, where X are the centred values. */
function multiplyByCovariance(
  values: Float32Array,
  mean: Float64Array,
  directions: readonly Float64Array[],
): Float64Array[] {
  const genes = mean.length;
  const products = directions.map(() => new Float64Array(genes));
  const centred = new Float64Array(genes);
  for (let start = 0; start < values.length; start += genes) {
    for (let gene = 0; gene < genes; gene++) centred[gene] = values[start + gene]! - mean[gene]!;
    directions.forEach((direction, i) => addScaled(products[i]!, centred, dot(centred, direction)));
  }
  return products;
}

/** Gram-Schmidt, in place. A direction of which nothing is left stays zero. */
function orthonormalize(directions: readonly Float64Array[]): void {
  directions.forEach((direction, i) => {
    for (const earlier of directions.slice(0, i)) addScaled(direction, earlier, -dot(direction, earlier));
    const norm = Math.sqrt(dot(direction, direction));
    for (let gene = 0; gene < direction.length; gene++) direction[gene]! /= norm || 1;
  });
}

/** Of a direction and its opposite, the one whose largest part is positive. */
function orient(direction: Float64Array): Float64Array {
  const largest = direction.reduce((most, part) => (Math.abs(part) > Math.abs(most) ? part : most), 0);
  return largest < 0 ? direction.map((part) => -part) : direction;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addScaled(to: Float64Array, from: Float64Array, factor: number): void {
  for (let i = 0; i < to.length; i++) to[i]! += factor * from[i]!;
}
