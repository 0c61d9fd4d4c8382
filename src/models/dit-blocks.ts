// What all Diffusion Transformers here are made of, with the names and the initialisation of the public release of DiT (Peebles &
// Xie 2023, arXiv:2212.09748). All that ends in zero makes every block, and the output, start as nothing.
//
//   B  samples in the batch       D  width
//   N  tokens                     K  classes; row K of the label table is the null label
import { zeros } from '../nn/initializers.ts';
import {
  labelEmbedder,
  labelEmbedderParameters,
  linearLayer,
  linearParameters,
  timestepEmbedder,
  timestepEmbedderParameters,
} from '../nn/layers.ts';
import type { ParameterSpec, Parameters } from '../nn/parameters.ts';
import type { Rotation } from '../nn/rotary.ts';
import { add, gatedResidual, split } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';
import {
  type BlockParts,
  attend,
  blockModulation,
  headNormParameters,
  mlpLayer,
  mlpParameters,
  normModulate,
  normParameters,
} from './dit-parts.ts';

/** The time and, where there are labels, the class: t [B], labels int32 [B] -> [B, D] */
export function conditioning(
  params: Parameters,
  t: Tensor,
  labels: Tensor | undefined,
  timeScale: number,
): Tensor {
  const time = timestepEmbedder(params, 't_embedder', t, timeScale); // -> [B, D]
  return labels === undefined ? time : add(time, labelEmbedder(params, 'y_embedder', labels));
}

export function conditioningParameters(classes: number, D: number): ParameterSpec[] {
  return [
    ...timestepEmbedderParameters('t_embedder', D),
    ...(classes === 0 ? [] : labelEmbedderParameters('y_embedder', classes, D)),
  ];
}

/**
 * Attention and an MLP, each modulated and gated (adaLN-Zero): x [B, N, D], c [B, D] -> [B, N, D]
 * @param between what happens to the tokens after the attention and before the MLP; nothing by default
 * @param rotation of the tokens, where positions are rotary
 */
export function block(
  params: Parameters,
  name: string,
  x: Tensor,
  c: Tensor,
  heads: number,
  between: (h: Tensor) => Tensor = (h) => h,
  parts: BlockParts = {},
  rotation?: Rotation,
): Tensor {
  return x.graph.block(() => {
    const modulation = blockModulation(params, `${name}.adaLN_modulation.1`, c, parts.shifts);
    const [shift1, scale1, gate1, shift2, scale2, gate2] = modulation as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const before = normModulate(params, `${name}.norm1`, x, shift1, scale1, parts.norm);
    const qkv = linearLayer(params, `${name}.attn.qkv`, before); // -> [B, N, 3D]
    const mixed = attend(params, `${name}.attn`, qkv, heads, parts.qkNorm, rotation);
    const attended = linearLayer(params, `${name}.attn.proj`, mixed); // -> [B, N, D]
    const h = between(gatedResidual(x, attended, gate1));
    const modulated = normModulate(params, `${name}.norm2`, h, shift2, scale2, parts.norm);
    return gatedResidual(h, mlpLayer(params, `${name}.mlp`, modulated, parts.mlp), gate2); // -> [B, N, D]
  });
}

export function blockParameters(
  name: string,
  D: number,
  heads = 1,
  { norm, qkNorm, mlp, shifts = true }: BlockParts = {},
): ParameterSpec[] {
  return [
    ...normParameters(`${name}.norm1`, D, norm),
    ...linearParameters(`${name}.attn.qkv`, 3 * D, D),
    ...headNormParameters(`${name}.attn`, D / heads, qkNorm),
    ...linearParameters(`${name}.attn.proj`, D, D),
    ...normParameters(`${name}.norm2`, D, norm),
    ...mlpParameters(`${name}.mlp`, D, mlp),
    ...linearParameters(`${name}.adaLN_modulation.1`, (shifts ? 6 : 4) * D, D, zeros),
  ];
}

/** What the output is projected from: h [B, N, D], c [B, D] -> [B, N, D] */
export function finalModulation(params: Parameters, h: Tensor, c: Tensor, norm?: BlockParts['norm']): Tensor {
  const modulation = split(linearLayer(params, 'final_layer.adaLN_modulation.1', c), 1, 2); // -> 2 x [B, D]
  const [shift, scale] = modulation as [Tensor, Tensor];
  return normModulate(params, 'final_layer.norm_final', h, shift, scale, norm);
}

export function finalModulationParameters(D: number, norm?: BlockParts['norm']): ParameterSpec[] {
  return [
    ...normParameters('final_layer.norm_final', D, norm),
    ...linearParameters('final_layer.adaLN_modulation.1', 2 * D, D, zeros),
  ];
}
