// What a block of a Diffusion Transformer may be made of beside the public release's parts: those of LightningDiT (Yao et al. 2025,
// arXiv:2501.01423), with the names of its release. All are as in DiT where they are left out.
import { ones } from '../nn/initializers.ts';
import { layerNormParameters, linearLayer, linearParameters } from '../nn/layers.ts';
import type { ParameterSpec, Parameters } from '../nn/parameters.ts';
import { type Rotation, rotate } from '../nn/rotary.ts';
import {
  attention,
  broadcastTo,
  concat,
  constant,
  layerNorm,
  layerNormModulate,
  modulate,
  mul,
  reshape,
  rmsNorm,
  silu,
  split,
} from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface BlockParts {
  /** What tokens are normalised by before they are modulated: layer, without weights (the default), or rms, with a weight. */
  readonly norm?: 'layer' | 'rms' | undefined;
  /** What queries and keys are normalised by, head by head; none by default. */
  readonly qkNorm?: 'none' | 'rms' | 'layer' | undefined;
  /** gelu, of 4 D features (the default), or swiglu, of int(2 / 3 * 4 D). */
  readonly mlp?: 'gelu' | 'swiglu' | undefined;
  /** Whether queries and keys are turned by their token's row and column. Not by default. */
  readonly rotary?: boolean | undefined;
  /** Whether blocks' modulation shifts, beside scaling and gating. It does by default. */
  readonly shifts?: boolean | undefined;
}

/** Of q and k as LayerNorm, the default of torch. */
const headEpsilon = 1e-5;
const mlpRatio = 4;

/** Features between the layers of the MLP; of SwiGLU so that it has about as many weights. */
export function hiddenOf(D: number, mlp: BlockParts['mlp']): number {
  return mlp === 'swiglu' ? Math.trunc((2 / 3) * (mlpRatio * D)) : mlpRatio * D;
}

/** h [B, N, D], shift and scale [B, D] -> [B, N, D] */
export function normModulate(
  params: Parameters,
  name: string,
  h: Tensor,
  shift: Tensor,
  scale: Tensor,
  norm: BlockParts['norm'],
): Tensor {
  if (norm !== 'rms') return layerNormModulate(h, shift, scale);
  return modulate(rmsNorm(h, params(`${name}.weight`)), shift, scale);
}

export function normParameters(name: string, D: number, norm: BlockParts['norm']): ParameterSpec[] {
  return norm === 'rms' ? [{ name: `${name}.weight`, shape: [D], init: ones }] : [];
}

/** qkv [B, N, 3D] -> [B, N, D]. @param rotation of queries and keys, once they are normalised */
export function attend(
  params: Parameters,
  name: string,
  qkv: Tensor,
  heads: number,
  qkNorm: BlockParts['qkNorm'] = 'none',
  rotation?: Rotation,
): Tensor {
  if (qkNorm === 'none' && !rotation) return attention(qkv, heads);
  const [B, N, D3] = qkv.shape as [number, number, number];
  const D = D3 / 3;
  const [q, k, v] = split(qkv, 2, 3) as [Tensor, Tensor, Tensor];
  const [query, key] = [[q, 'q_norm'] as const, [k, 'k_norm'] as const].map(([part, own]) => {
    const ofHeads = reshape(part, [B, N, heads, D / heads]);
    const normed = reshape(normHeads(params, `${name}.${own}`, ofHeads, qkNorm), [B, N, D]);
    return rotation ? rotate(normed, rotation) : normed;
  }) as [Tensor, Tensor];
  return attention(concat([query, key, v], 2), heads);
}

function normHeads(params: Parameters, name: string, x: Tensor, kind: BlockParts['qkNorm']): Tensor {
  if (kind === 'rms') return rmsNorm(x, params(`${name}.weight`));
  return kind === 'layer' ? layerNorm(x, params(`${name}.weight`), params(`${name}.bias`), headEpsilon) : x;
}

/** @param h features of a head */
export function headNormParameters(name: string, h: number, kind: BlockParts['qkNorm']): ParameterSpec[] {
  return ['q_norm', 'k_norm'].flatMap((own) =>
    kind === 'layer'
      ? layerNormParameters(`${name}.${own}`, h)
      : normParameters(`${name}.${own}`, h, kind === 'rms' ? 'rms' : 'layer'),
  );
}

/** h [B, N, D] -> [B, N, D] */
export function mlpLayer(params: Parameters, name: string, h: Tensor, mlp: BlockParts['mlp']): Tensor {
  if (mlp !== 'swiglu')
    return linearLayer(params, `${name}.fc2`, linearLayer(params, `${name}.fc1`, h, 'gelu'));
  const [gate, value] = split(linearLayer(params, `${name}.w12`, h), 2, 2) as [Tensor, Tensor]; // -> 2 x [B, N, m]
  return linearLayer(params, `${name}.w3`, mul(silu(gate), value));
}

export function mlpParameters(name: string, D: number, mlp: BlockParts['mlp']): ParameterSpec[] {
  const m = hiddenOf(D, mlp);
  return mlp === 'swiglu'
    ? [...linearParameters(`${name}.w12`, 2 * m, D), ...linearParameters(`${name}.w3`, D, m)]
    : [...linearParameters(`${name}.fc1`, m, D), ...linearParameters(`${name}.fc2`, D, m)];
}

/** c [B, D] -> shift, scale and gate of attention, then of the MLP: 6 x [B, D] */
export function blockModulation(params: Parameters, name: string, c: Tensor, shifts = true): Tensor[] {
  const parts = split(linearLayer(params, name, c), 1, shifts ? 6 : 4);
  if (shifts) return parts;
  const [B, D] = c.shape as [number, number];
  const none = broadcastTo(constant(c, [1, D], new Float64Array(D)), [B, D]);
  return [none, parts[0]!, parts[1]!, none, parts[2]!, parts[3]!];
}
