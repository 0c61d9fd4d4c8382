// Rotary positions of two axes (Su et al. 2021, arXiv:2104.09864; of images as in EVA-02 and LightningDiT): the first half of a head's
// features turns with the row, the second with the column; neighbours (2i, 2i + 1) are a pair.
import { add, concat, constant, mul, reshape, split, sub } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';

const theta = 10000;

/** Angles of each token and pair, [rows * columns, h / 2]. @param h features of a head, a multiple of 4 */
export function rotaryAngles([rows, columns]: readonly [number, number], h: number): Float64Array {
  const pairs = h / 4; // of each axis
  const angles = new Float64Array(rows * columns * 2 * pairs);
  for (let token = 0; token < rows * columns; token++) {
    for (let i = 0; i < pairs; i++) {
      const frequency = theta ** (-i / pairs);
      angles[token * 2 * pairs + i] = Math.floor(token / columns) * frequency;
      angles[token * 2 * pairs + pairs + i] = (token % columns) * frequency;
    }
  }
  return angles;
}

/** x [B, N, H, h], N tokens of the grid -> x turned, [B, N, H, h] */
export function rotate(x: Tensor, grid: readonly [number, number]): Tensor {
  const [B, N, H, h] = x.shape as [number, number, number, number];
  const angles = rotaryAngles(grid, h);
  const table = (of: (angle: number) => number): Tensor => constant(x, [N, 1, h / 2, 1], angles.map(of));
  const [cos, sin] = [table(Math.cos), table(Math.sin)];
  const [a, b] = split(reshape(x, [B, N, H, h / 2, 2]), 4, 2) as [Tensor, Tensor]; // -> 2 x [B, N, H, h / 2, 1]
  const turned = concat([sub(mul(a, cos), mul(b, sin)), add(mul(b, cos), mul(a, sin))], 4);
  return reshape(turned, [B, N, H, h]);
}
