import type { Node } from '../../../tensor/tensor.ts';
import type { Kernel } from './kernel.ts';
import { productBytes } from './product.ts';

/** Rows of queries whose scores there is memory for: `block` in kernels/attention.ts. */
const blockRows = 64;

const headsOf = ({ attributes }: Node): number => (attributes as { heads: number }).heads;

/** Of as many blocks of scores. */
const scratchOf = (blocks: number, keys: number): number =>
  productBytes + 4 * blocks * blockRows * (4 * Math.ceil(keys / 4));

/** B, H, N, M and d of queries [B, N, D] to M keys. */
function extents(node: Node, [B, N, D]: readonly number[], keys: number): number[] {
  const heads = headsOf(node);
  return [B!, heads, N!, keys, D! / heads];
}

/** The parts of rows of qkv or kv, [..., parts D]. */
function parts(start: number, count: number, D: number): number[] {
  return Array.from({ length: count }, (_, i) => start + 4 * i * D);
}

export const attention: Kernel = {
  scratch: ({ inputs }) => scratchOf(1, inputs[0]!.shape[1]!),
  bind(node, { at, scratch }, kernels) {
    const [qkv, o, lse] = [node.inputs[0]!, ...node.outputs];
    const { shape } = o!;
    const D = shape[2]!;
    const [q, k, v] = parts(at(qkv), 3, D) as [number, number, number];
    const operands = [q, 3 * D, k, v, 3 * D, 0, at(o!), at(lse!)];
    const args = [...extents(node, shape, shape[1]!), ...operands, scratch];
    return () => kernels.attention(...args);
  },
};

export const attentionGrad: Kernel = {
  scratch: ({ inputs }) => scratchOf(2, inputs[0]!.shape[1]!),
  bind(node, { at, scratch }, kernels) {
    const [qkv, o, lse, g] = node.inputs;
    const { shape } = o!;
    const D = shape[2]!;
    const [q, k, v] = parts(at(qkv!), 3, D) as [number, number, number];
    const made = parts(at(node.outputs[0]!), 3, D);
    const operands = [q, 3 * D, k, v, 3 * D, 0, at(o!), at(lse!), at(g!)];
    const args = [...extents(node, shape, shape[1]!), ...operands, ...made, scratch];
    return () => kernels.attentionGrad(...args);
  },
};

export const crossAttention: Kernel = {
  scratch: ({ inputs }) => scratchOf(1, inputs[1]!.shape[1]!),
  bind(node, { at, scratch }, kernels) {
    const [q, kv, lengths] = node.inputs;
    const [o, lse] = node.outputs;
    const D = q!.shape[2]!;
    const [k, v] = parts(at(kv!), 2, D) as [number, number];
    const operands = [at(q!), D, k, v, 2 * D, at(lengths!), at(o!), at(lse!)];
    const args = [...extents(node, q!.shape, kv!.shape[1]!), ...operands, scratch];
    return () => kernels.attention(...args);
  },
};

export const crossAttentionGrad: Kernel = {
  scratch: ({ inputs }) => scratchOf(2, inputs[1]!.shape[1]!),
  bind(node, { at, scratch }, kernels) {
    const [q, kv, lengths, o, lse, g] = node.inputs;
    const [dq, dkv] = node.outputs;
    const D = q!.shape[2]!;
    const [k, v] = parts(at(kv!), 2, D) as [number, number];
    const made = [at(dq!), ...parts(at(dkv!), 2, D)];
    const operands = [at(q!), D, k, v, 2 * D, at(lengths!), at(o!), at(lse!), at(g!)];
    const args = [...extents(node, q!.shape, kv!.shape[1]!), ...operands, ...made, scratch];
    return () => kernels.attentionGrad(...args);
  },
};
