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

function evaluateMatmul(a: Dense, b: Dense, y: Dense, transposeA: number, transposeB: number): void {
  const [m, k] = extents(a.shape, transposeA);
  const [, n] = extents(b.shape, transposeB);
  const [aRow, aColumn] = transposeA ? [1, m] : [k, 1];
  const [bRow, bColumn] = transposeB ? [1, k] : [n, 1];
  const batches = sizeOf(y.shape.slice(0, -2));
  const shared = b.shape.length === 2;
  for (let batch = 0; batch < batches; batch++) {
    const offsetA = batch * m * k;
    const offsetB = shared ? 0 : batch * k * n;
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let total = 0;
        for (let l = 0; l < k; l++) {
          total += a.data[offsetA + i * aRow + l * aColumn]! * b.data[offsetB + l * bRow + j * bColumn]!;
        }
        y.data[(batch * m + i) * n + j] = total;
      }
    }
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
