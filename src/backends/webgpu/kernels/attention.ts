// Attention of a sequence to itself: attention to another one all of whose keys are there.
import type { Node, Tensor } from '../../../tensor/tensor.ts';
import { attendGrad } from '../attention/backward.ts';
import { type Attended, attend } from '../attention/forward.ts';
import { type Heads, headWidth, writtenHeads } from '../attention/heads.ts';
import type { Kernel, KernelContext } from '../dispatch.ts';

/** qkv [B, N, 3D], its last axis (3, heads, d) */
function attended({ inputs, attributes }: Node, { tuning }: KernelContext): Attended {
  const qkv = inputs[0]!;
  const [batches, N, width] = qkv.shape as [number, number, number];
  const { heads } = attributes as { heads: number };
  const d = width / 3 / heads;
  return {
    extents: { batches, heads, d, N, M: N },
    tuning,
    ...thirds('qkv', width, ['q', 'k', 'v']),
    arguments: [{ name: 'qkv', operand: qkv, width: headWidth(d) }],
    hasLengths: false,
  };
}

function thirds<T extends string>(array: string, width: number, names: readonly [T, T, T]): Record<T, Heads> {
  const heads = names.map((name, i): [string, Heads] => [
    name,
    { name, array, rows: i === 0 ? 'N' : 'M', stride: width, first: (i * width) / 3 },
  ]);
  return Object.fromEntries(heads) as Record<T, Heads>;
}

const attention: Kernel = (node, context) => {
  const [o, lse] = node.outputs as [Tensor, Tensor];
  return attend(attended(node, context), o, context.isMade(lse) ? lse : undefined);
};

const attentionGrad: Kernel = (node, context) => {
  const [qkv, o, lse, dO] = node.inputs as [Tensor, Tensor, Tensor, Tensor];
  const all = attended(node, context);
  const written = writtenHeads('dqkv', node.outputs[0]!, headWidth(all.extents.d));
  return attendGrad(all, {
    ...thirds('dqkv', qkv.shape[2]!, ['dq', 'dk', 'dv']),
    o,
    lse,
    dO,
    ofQueries: written,
    ofKeys: written,
  });
};

export const attentionKernels: Readonly<Record<string, Kernel>> = { attention, attentionGrad };
