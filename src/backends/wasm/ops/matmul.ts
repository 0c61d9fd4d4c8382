import { sizeOf } from '../../../tensor/shape.ts';
import type { Kernel } from './kernel.ts';
import { productBytes } from './product.ts';

export const matmul: Kernel = {
  scratch: () => productBytes,
  bind({ inputs: [a, b], outputs: [y], attributes }, { at, scratch }, kernels) {
    const { transposeA, transposeB } = attributes as { transposeA: number; transposeB: number };
    const [M, N] = y!.shape.slice(-2) as [number, number];
    const K = a!.shape.at(transposeA ? -2 : -1)!;
    const left = transposeA ? [1, M] : [K, 1];
    const right = transposeB ? [1, K] : [N, 1];
    const batch = sizeOf(y!.shape.slice(0, -2));
    const isShared = b!.shape.length === 2;
    const operands = [at(a!), ...left, M * K, at(b!), ...right, isShared ? 0 : K * N];
    const args = [batch, M, N, K, ...operands, at(y!), scratch];
    return () => kernels.matmul(...args);
  },
};
