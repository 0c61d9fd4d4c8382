import { sizeOf } from '../../../tensor/shape.ts';
import type { Node } from '../../../tensor/tensor.ts';
import type { Kernel } from './kernel.ts';

/** x as [outer, size, inner], where the sum is over neighbouring axes. */
function extents({ inputs: [x], attributes }: Node): number[] | undefined {
  const axes = (attributes as { axes: readonly number[] }).axes.toSorted((a, b) => a - b);
  const first = axes[0] ?? 0;
  if (axes.some((axis, i) => axis !== first + i)) return undefined;
  const parts = [x!.shape.slice(0, first), axes.map((axis) => x!.shape[axis]!)];
  return [...parts, x!.shape.slice(first + axes.length)].map(sizeOf);
}

export const sum: Kernel = {
  fits: (node) => extents(node) !== undefined,
  bind(node, { at }, kernels) {
    const args = [...extents(node)!, at(node.inputs[0]!), at(node.outputs[0]!)];
    return () => kernels.sum(...args);
  },
};

export const globalNorm: Kernel = {
  bind({ inputs, outputs: [y] }, { at, numbersOf }, kernels) {
    const parts = inputs.map((x) => [sizeOf(x.shape), at(x)]);
    return () => {
      const total = parts.reduce((sumOf, args) => sumOf + kernels.sumSquares(...args), 0);
      numbersOf(y!)[0] = Math.sqrt(total);
    };
  },
};

export const isFinite: Kernel = {
  fits: ({ inputs }) => inputs.every(({ dtype }) => dtype === 'float32'),
  bind({ inputs, outputs: [y] }, { at, numbersOf }, kernels) {
    const parts = inputs.map((x) => [sizeOf(x.shape), at(x)]);
    return () => {
      numbersOf(y!)[0] = Number(parts.every((args) => kernels.isFinite(...args) !== 0));
    };
  },
};
