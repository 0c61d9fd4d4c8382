import type { Tensor } from '../../../tensor/tensor.ts';
import { sizeOf, stridesOf } from '../../../tensor/shape.ts';
import type { Kernel } from '../dispatch.ts';
import { reduction } from '../reduction.ts';
import { Sizes, stridedIndex } from '../wgsl/indices.ts';

/** Over axes: an output's terms lie where its index along the other axes says. */
function over(by: 'sum' | 'max'): Kernel {
  return ({ inputs, outputs, attributes }, { tuning }) => {
    const [x] = inputs as [Tensor];
    const axes = attributes['axes'] as readonly number[];
    const strides = stridesOf(x.shape);
    const along = (kept: readonly number[]): { shape: number[]; strides: number[] } => ({
      shape: kept.map((axis) => x.shape[axis]!),
      strides: kept.map((axis) => strides[axis]!),
    });
    const [reduced, others] = [along([...axes].toSorted((a, b) => a - b)), along(othersThan(axes, x))];
    const isInnermost = axes.includes(x.shape.findLastIndex((extent) => extent > 1));
    const sizes = new Sizes();
    const place = `${stridedIndex(sizes, 'o', others, 'i')} + ${stridedIndex(sizes, 't', reduced, 'j')}`;
    return reduction({
      reads: [{ name: 'x', operand: x }],
      output: outputs[0]!,
      outputs: sizeOf(others.shape),
      terms: sizeOf(reduced.shape),
      term: `return x(${place});`,
      by,
      neighbours: isInnermost ? 'terms' : 'outputs',
      lanes: tuning.lanes,
      sizes: sizes.values,
    });
  };
}

function othersThan(axes: readonly number[], { shape }: Tensor): number[] {
  return shape.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
}

export const reduceKernels: Readonly<Record<string, Kernel>> = { sum: over('sum'), max: over('max') };
