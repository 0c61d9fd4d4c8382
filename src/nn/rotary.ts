// Rotary positions of two axes (Su et al. 2021, arXiv:2104.09864; of images as in EVA-02 and LightningDiT): the first half of a head's
// features turns with a token's row, the second with its column; neighbours (2i, 2i + 1) are a pair.
import { add, constant, matmul, mul, reshape } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { FixedTable } from './fixed-table.ts';
import { type Positions, gridPlaces, gridsOf } from './position-table.ts';

const theta = 10000;

/** How a grid of tokens is turned. */
export interface Rotation {
  /** Cosines and sines of the angle of each feature, [N, D] both, those of one head after the other. */
  readonly cos: Tensor;
  readonly sin: Tensor;
  /** Makes (-b, a) of each pair (a, b), [h, h]. */
  readonly quarterTurn: Tensor;
}

/** The angles of every grid of tokens that a model meets. */
export class RotaryTables {
  readonly #features: number;
  readonly #heads: number;
  readonly #positions: Positions;

  /**
   * @param features of a head, h, a multiple of 4
   * @param positions the places that tokens turn by, whole numbers in the public release
   */
  constructor(features: number, heads: number, positions: Positions) {
    this.#features = features;
    this.#heads = heads;
    this.#positions = positions;
  }

  /** @param like any tensor of the trace */
  of(rows: number, columns: number, like: Tensor): Rotation {
    const [h, D] = [this.#features, this.#features * this.#heads];
    const angles = this.#angles(rows, columns);
    const tiled = (of: (angle: number) => number): Tensor => {
      const values = new Float64Array(rows * columns * D);
      for (let i = 0; i < values.length; i++) values[i] = of(angles[(Math.floor(i / D) * h + (i % h)) >> 1]!);
      return constant(like, [rows * columns, D], values);
    };
    const turn = new Float64Array(h * h);
    for (let pair = 0; pair < h; pair += 2) {
      turn[(pair + 1) * h + pair] = -1;
      turn[pair * h + pair + 1] = 1;
    }
    return { cos: tiled(Math.cos), sin: tiled(Math.sin), quarterTurn: constant(like, [h, h], turn) };
  }

  /** As the files of LightningDiT carry them, [N, h], each angle for both features of its pair. */
  inFiles(rows: number, columns: number): FixedTable[] {
    const functions = { cos: Math.cos, sin: Math.sin };
    return Object.entries(functions).map(([name, of]) => ({
      name: `feat_rope.freqs_${name}`,
      shape: [rows * columns, this.#features],
      values: () => this.#stored(rows, columns, of),
      matches: (values, shape, tolerance) =>
        shape.length === 2 &&
        shape[1] === this.#features &&
        gridsOf(shape[0]!).some((grid) =>
          this.#stored(...grid, of).every((value, i) => Math.abs(value - values[i]!) <= tolerance),
        ),
    }));
  }

  #stored(rows: number, columns: number, of: (angle: number) => number): Float32Array {
    const angles = this.#angles(rows, columns);
    return Float32Array.from({ length: 2 * angles.length }, (_, i) => of(angles[i >> 1]!));
  }

  /** [rows * columns, h / 2], in float64 */
  #angles(rows: number, columns: number): Float64Array {
    const pairs = this.#features / 4; // of each axis
    const [down, across] = gridPlaces(this.#positions, rows, columns);
    const angles = new Float64Array(rows * columns * 2 * pairs);
    for (let token = 0; token < rows * columns; token++) {
      for (let i = 0; i < pairs; i++) {
        const frequency = theta ** (-i / pairs);
        angles[token * 2 * pairs + i] = down[Math.floor(token / columns)]! * frequency;
        angles[token * 2 * pairs + pairs + i] = across[token % columns]! * frequency;
      }
    }
    return angles;
  }
}

/** x [B, N, D] -> the pairs of each head turned by their token's angles, [B, N, D] */
export function rotate(x: Tensor, { cos, sin, quarterTurn }: Rotation): Tensor {
  const [B, N, D] = x.shape as [number, number, number];
  const h = quarterTurn.shape[0]!;
  // As a product, so that no pass over memory goes by twos.
  const turned = matmul(reshape(x, [(B * N * D) / h, h]), quarterTurn);
  return add(mul(x, cos), mul(reshape(turned, x.shape), sin));
}
