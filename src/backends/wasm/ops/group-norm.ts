import { sizeOf } from '../../../tensor/shape.ts';
import type { Node, Tensor } from '../../../tensor/tensor.ts';
import type { Kernel } from './kernel.ts';

type Norm = { groups: number; activation: number };

/** B, C, pixels and groups. */
function extents(x: Tensor, { groups }: Norm): number[] {
  return [x.shape[0]!, x.shape[1]!, sizeOf(x.shape.slice(2)), groups];
}

export const groupNorm: Kernel = {
  bind({ inputs, outputs, attributes }, { at }, kernels) {
    const { epsilon, ...norm } = attributes as Norm & { epsilon: number };
    const values = [...inputs, ...outputs].map(at);
    const args = [...extents(inputs[0]!, norm), ...values, epsilon, norm.activation];
    return () => kernels.groupNorm(...args);
  },
};

export const groupNormGrad: Kernel = {
  /** Sums of float64 over images, two for each channel. */
  scratch: ({ inputs }: Node) => 16 * inputs[0]!.shape[1]!,
  bind({ inputs, outputs, attributes }, { at, scratch }, kernels) {
    const norm = attributes as Norm;
    const values = [...inputs, ...outputs].map(at);
    const args = [...extents(inputs[0]!, norm), ...values, norm.activation, scratch];
    return () => kernels.groupNormGrad(...args);
  },
};
