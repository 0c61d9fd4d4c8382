// How an op of a program becomes a call of a kernel.
import type { HostArray } from '../../../tensor/dtype.ts';
import type { Node, Tensor } from '../../../tensor/tensor.ts';

/** What dist/kernels.wasm exports: src/backends/wasm/kernels/index.ts. */
export type KernelName =
  | 'activationGrad'
  | 'adamw'
  | 'affine'
  | 'attention'
  | 'attentionGrad'
  | 'binary'
  | 'conv2d'
  | 'conv2dGradInput'
  | 'conv2dGradParams'
  | 'gatedResidual'
  | 'gatedResidualGrad'
  | 'groupNorm'
  | 'groupNormGrad'
  | 'isFinite'
  | 'layWindows'
  | 'layerNormModulate'
  | 'layerNormModulateGrad'
  | 'lerp'
  | 'linear'
  | 'linearGatedResidual'
  | 'linearGradInput'
  | 'linearGradParams'
  | 'matmul'
  | 'sum'
  | 'sumSquares'
  | 'unary'
  | 'upsampleNearest'
  | 'upsampleNearestGrad';

export type Kernels = Readonly<Record<KernelName, (...numbers: number[]) => number>>;

/** Where values lie, in bytes. */
export interface Places {
  at(tensor: Tensor): number;
  /** 0 where there is no such value, or nobody reads it. */
  atWanted(tensor: Tensor | undefined): number;
  /** What a value holds now, until memory grows. */
  numbersOf(tensor: Tensor): HostArray;
  /** Memory that a kernel overwrites. */
  readonly scratch: number;
}

export interface Kernel {
  /** Whether the kernel does this node; by default it does all of its op. Only of primitives, which have a plain implementation. */
  fits?(node: Node): boolean;
  /** Bytes of scratch memory, none by default. */
  scratch?(node: Node): number;
  /** @returns does the work once */
  bind(node: Node, places: Places, kernels: Kernels): () => void;
}
