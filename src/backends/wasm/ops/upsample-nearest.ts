import type { Node, Tensor } from '../../../tensor/tensor.ts';
import type { Kernel } from './kernel.ts';

/** Images, their rows and columns where they are small, and the factor. */
function extents(small: Tensor, { attributes }: Node): number[] {
  const [B, C, H, W] = small.shape as [number, number, number, number];
  return [B * C, H, W, (attributes as { factor: number }).factor];
}

export const upsampleNearest: Kernel = {
  bind(node, { at }, kernels) {
    const [x, y] = [node.inputs[0]!, node.outputs[0]!];
    const args = [...extents(x, node), at(x), at(y)];
    return () => kernels.upsampleNearest(...args);
  },
};

export const upsampleNearestGrad: Kernel = {
  bind(node, { at }, kernels) {
    const [dy, dx] = [node.inputs[0]!, node.outputs[0]!];
    const args = [...extents(dx, node), at(dy), at(dx)];
    return () => kernels.upsampleNearestGrad(...args);
  },
};
