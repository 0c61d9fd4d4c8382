// Principal components: the directions in which cells differ most, to look at them and to compare them along.
import { philoxNormal } from '../../tensor/philox.ts';

export interface Projection {
  readonly mean: Float64Array;
  /** Directions of length 1, [G] each, at right angles, that along which cells differ most first. */
  readonly components: readonly Float64Array[];
}

export type Point = readonly [x: number, y: number];

const ITERATIONS = 30;
/** More directions than are wanted: those wanted then converge faster. */
const SPARE = 8;

/**
 * The first principal components, by orthogonal iteration (Golub & Van Loan, Matrix Computations, 7.3.2) with the data as they
 * are: no matrix of genes by genes is made.
 * @param values [N, G]
 * @param count how many; fewer where there are not as many genes, or cells less one
 */
export function fitProjection(values: Float32Array, genes: number, count: number): Projection {
  const cells = values.length / genes;
  const mean = new Float64Array(genes);
  for (let i = 0; i < values.length; i++) mean[i % genes]! += values[i]! / cells;
  const wanted = Math.max(1, Math.min(count, genes, cells - 1));
  const tried = Math.min(genes, wanted + SPARE);
  const start = philoxNormal({
    seed: 0,
    stream: 0,
    step: 0,
    firstSample: 0,
    samples: tried,
    elements: genes,
  });
  const directions = Array.from({ length: tried }, (_, i) => start.slice(i * genes, (i + 1) * genes));
  orthonormalize(directions);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const products = multiplyByCovariance(values, mean, directions);
    orthonormalize(products);
    products.forEach((product, i) => directions[i]!.set(product));
  }
  return { mean, components: directions.slice(0, wanted).map(orient) };
}

/** Where cells are along the components. @param values [N, G] @returns [N, K], row-major */
export function project(values: Float32Array, { mean, components }: Projection): Float64Array {
  const genes = mean.length;
  const cells = values.length / genes;
  const places = new Float64Array(cells * components.length);
  const centred = new Float64Array(genes);
  for (let cell = 0; cell < cells; cell++) {
    for (let gene = 0; gene < genes; gene++) centred[gene] = values[cell * genes + gene]! - mean[gene]!;
    components.forEach((component, k) => (places[cell * components.length + k] = dot(centred, component)));
  }
  return places;
}

/** The first two numbers of each row. @param places [N, K], K from 1 */
export function toPoints(places: Float64Array, width: number): Point[] {
  return Array.from({ length: places.length / width }, (_, cell) => {
    const [x, y = 0] = places.subarray(cell * width, cell * width + Math.min(2, width));
    return [x!, y] as const;
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
    const before = Math.sqrt(dot(direction, direction));
    for (const earlier of directions.slice(0, i)) addScaled(direction, earlier, -dot(direction, earlier));
    const norm = Math.sqrt(dot(direction, direction));
    // What rounding left of a direction that lies among the earlier ones is no direction.
    if (norm < 1e-12 * before) direction.fill(0);
    else for (let gene = 0; gene < direction.length; gene++) direction[gene]! /= norm || 1;
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
