// Attention of queries to the keys of another sequence, of which each batch has as many as its length says.
import type { Node, Tensor } from '../../../tensor/tensor.ts';
import { attendGrad } from '../attention/backward.ts';
import { type Attended, attend } from '../attention/forward.ts';
import { type Heads, headWidth, writtenHeads } from '../attention/heads.ts';
import type { Kernel, KernelContext } from '../dispatch.ts';

/** q [B, N, D], kv [B, M, 2D], its last axis (2, heads, d), lengths [B] */
function attended({ inputs, attributes }: Node, { tuning }: KernelContext): Attended {
  const [q, kv, lengths] = inputs as [Tensor, Tensor, Tensor];
  const [batches, N, D] = q.shape as [number, number, number];
  const { heads } = attributes as { heads: number };
  const width = headWidth(D / heads);
  return {
    extents: { batches, heads, d: D / heads, N, M: kv.shape[1]! },
    tuning,
    q: ofQueries('q', 'q', D),
    k: ofKeys('k', 'kv', D, 0),
    v: ofKeys('v', 'kv', D, 1),
    arguments: [
      { name: 'q', operand: q, width },
      { name: 'kv', operand: kv, width },
      { name: 'lengths', operand: lengths },
    ],
    hasLengths: true,
  };
}

const ofQueries = (name: string, array: string, D: number): Heads => ({
  name,
  array,
  rows: 'N',
  stride: D,
  first: 0,
});
const ofKeys = (name: string, array: string, D: number, half: number): Heads => ({
  name,
  array,
  rows: 'M',
  stride: 2 * D,
  first: half * D,
});

const crossAttention: Kernel = (node, context) => {
  const [o, lse] = node.outputs as [Tensor, Tensor];
  return attend(attended(node, context), o, context.isMade(lse) ? lse : undefined);
};

const crossAttentionGrad: Kernel = (node, context) => {
  const [q, , , o, lse, dO] = node.inputs as Tensor[];
  const [dq, dkv] = node.outputs as [Tensor, Tensor];
  const all = attended(node, context);
  const D = q!.shape[2]!;
  const width = headWidth(all.extents.d);
  return attendGrad(all, {
    dq: ofQueries('dq', 'dq', D),
    dk: ofKeys('dk', 'dkv', D, 0),
    dv: ofKeys('dv', 'dkv', D, 1),
    o: o!,
    lse: lse!,
    dO: dO!,
    ofQueries: writtenHeads('dq', dq, width),
    ofKeys: writtenHeads('dkv', dkv, width),
  });
};

export const crossAttentionKernels: Readonly<Record<string, Kernel>> = { crossAttention, crossAttentionGrad };
