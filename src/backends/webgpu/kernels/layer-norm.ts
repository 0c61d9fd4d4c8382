// Norms of rows with learned parameters. Their gradients are those of their decompositions.
import { sizeOf } from '../../../tensor/shape.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Kernel } from '../dispatch.ts';
import { type Pass, rows } from '../rows/index.ts';

const ofSquares = '1.0f / sqrt_(v / f32(u.width) + u.epsilon)';

/** `mean` and `rstd` of rows of `x`: two passes, so that a mean that dwarfs the deviations costs no accuracy. */
export const centredPasses: readonly Pass[] = [
  { totals: [{ name: 'mean', term: 'x(at)', result: 'v / f32(u.width)' }] },
  { each: 'let d = x(at) - mean;', totals: [{ name: 'rstd', term: 'd * d', result: ofSquares }] },
];

const squarePasses: readonly Pass[] = [
  { each: 'let own = x(at);', totals: [{ name: 'rstd', term: 'own * own', result: ofSquares }] },
];

/** @param value of an element, which `w` and `b` have one for each column of */
function norm(passes: readonly Pass[], value: string): Kernel {
  return ({ inputs, outputs, attributes }, { tuning }) => {
    const [x, ...parameters] = inputs as [Tensor, ...Tensor[]];
    const width = x.shape.at(-1)!;
    const { epsilon } = attributes as { epsilon: number };
    return rows(
      {
        rows: sizeOf(x.shape.slice(0, -1)),
        width,
        reads: [
          { name: 'x', operand: x },
          ...parameters.map((operand, k) => ({ name: ['w', 'b'][k]!, operand })),
        ],
        passes,
        outputs: [{ name: 'y', tensor: outputs[0]!, value }],
        numbers: { epsilon },
      },
      tuning,
    );
  };
}

export const layerNormKernels: Readonly<Record<string, Kernel>> = {
  layerNorm: norm(centredPasses, '(x(at) - mean) * rstd * w(col) + b(col)'),
  rmsNorm: norm(squarePasses, 'x(at) * rstd * w(col)'),
};
