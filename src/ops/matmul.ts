import { shapeError } from '../tensor/errors.ts';
import { sameShape, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Dense, type Primitive, apply1, float32 } from './op.ts';
import { reshape } from './reshape.ts';

type Matmul = { transposeA: number; transposeB: number };

/** [rows, columns] of the last two axes, exchanged where `transposed`. */
function extents(shape: readonly number[], transposed: number): [number, number] {
  const [rows, columns] = shape.slice(-2) as [number, number];
  return transposed ? [columns, rows] : [rows, columns];
}

/** Matrix products over the last two axes. Leading axes are equal, or b is one matrix for all of them. */
export const matmulOp: Primitive<Matmul> = {
  kind: 'primitive',
  name: 'matmul',
  infer([a, b], { transposeA, transposeB }) {
    if (a!.shape.length < 2) throw shapeError('matmul', 'a', 'of at least 2 axes', a!.shape);
    const batch = a!.shape.slice(0, -2);
    const [m, k] = extents(a!.shape, transposeA);
    const [kb, n] = b!.shape.length < 2 ? [NaN, NaN] : extents(b!.shape, transposeB);
    if (k !== kb || (b!.shape.length !== 2 && !sameShape(b!.shape.slice(0, -2), batch))) {
      const wanted = `[${[...batch, ...(transposeB ? ['n', k] : [k, 'n'])].join(', ')}] to fit a = [${a!.shape.join(', ')}]`;
      throw shapeError('matmul', 'b', wanted, b!.shape);
    }
    return [float32([...batch, m, n])];
  },
  evaluate([a, b], [y], { transposeA, transposeB }) {
    evaluateMatmul(a!, b!, y!, transposeA, transposeB);
  },
  vjp({ inputs: [a, b], attributes: { transposeA, transposeB }, grads: [g] }) {
    const ga = transposeA ? product(b!, g!, transposeB, 1) : product(g!, b!, 0, 1 - transposeB);
    if (b!.shape.length === 2 && a!.shape.length > 2) {
      // One matrix served the whole batch: its gradient sums over the batch, which the rows of a flattened product do.
      const flat = (x: Tensor): Tensor => reshape(x, [sizeOf(x.shape.slice(0, -1)), x.shape.at(-1)!]);
      if (transposeA)
        throw shapeError('matmul', 'b (for a gradient with transposeA)', 'of the rank of a', b!.shape);
      return [ga, transposeB ? product(flat(g!), flat(a!), 1, 0) : product(flat(a!), flat(g!), 1, 0)];
    }
    return [ga, transposeB ? product(g!, a!, 1, transposeA) : product(a!, g!, 1 - transposeA, 0)];
  },
};

/** Columns whose sums, each in the order of k, are made side by side: one alone waits for every addition. */
const abreast = 4;

function evaluateMatmul(a: Dense, b: Dense, y: Dense, transposeA: number, transposeB: number): void {
  const [m, k] = extents(a.shape, transposeA);
  const [, n] = extents(b.shape, transposeB);
  const batches = sizeOf(y.shape.slice(0, -2));
  const shared = b.shape.length === 2;
  const padded = Math.ceil(n / abreast) * abreast;
  const [rows, columns] = [new Float64Array(m * k), new Float64Array(padded * k)];
  const sums = new Float64Array(padded);
  for (let batch = 0; batch < batches; batch++) {
    copyVectors(a, batch, transposeA, rows, m);
    if (batch === 0 || !shared) copyVectors(b, batch, 1 - transposeB, columns, n);
    for (let i = 0; i < m; i++) {
      multiplyRow(rows.subarray(i * k, (i + 1) * k), columns, sums);
      y.data.set(n === padded ? sums : sums.subarray(0, n), (batch * m + i) * n);
    }
  }
}

/** columns [columns, k] -> sums [columns] */
function multiplyRow(row: Float64Array, columns: Float64Array, sums: Float64Array): void {
  const k = row.length;
  for (let j = 0; j < sums.length; j += abreast) {
    const at = j * k;
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let l = 0; l < k; l++) {
      const x = row[l]!;
      s0 += x * columns[at + l]!;
      s1 += x * columns[at + k + l]!;
      s2 += x * columns[at + 2 * k + l]!;
      s3 += x * columns[at + 3 * k + l]!;
    }
    sums[j] = s0;
    sums[j + 1] = s1;
    sums[j + 2] = s2;
    sums[j + 3] = s3;
  }
}

/** A matrix of x to [count, length] in float64: reading it where it lies, by strides and in either dtype, takes several times as long. */
function copyVectors(
  { shape, data }: Dense,
  batch: number,
  transposed: number,
  to: Float64Array,
  count: number,
): void {
  const length = (shape.at(-1)! * shape.at(-2)!) / count;
  const offset = batch * count * length;
  const [far, near] = transposed ? [1, count] : [length, 1];
  for (let i = 0; i < count; i++) {
    for (let l = 0; l < length; l++) to[i * length + l] = data[offset + i * far + l * near]!;
  }
}

const product = (a: Tensor, b: Tensor, transposeA: number, transposeB: number): Tensor =>
  apply1(matmulOp, [a, b], { transposeA, transposeB });

/** a b over the last two axes, each optionally transposed first. */
export function matmul(
  a: Tensor,
  b: Tensor,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): Tensor {
  return product(a, b, Number(transposeA), Number(transposeB));
}
