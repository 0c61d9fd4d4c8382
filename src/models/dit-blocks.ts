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
import { add, attention, gatedResidual, layerNormModulate, split } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';

const mlpRatio = 4;

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
 */
export function block(
  params: Parameters,
  name: string,
  x: Tensor,
  c: Tensor,
  heads: number,
  between: (h: Tensor) => Tensor = (h) => h,
): Tensor {
  return x.graph.block(() => {
    const modulation = split(linearLayer(params, `${name}.adaLN_modulation.1`, c), 1, 6); // -> 6 x [B, D]
    const [shift1, scale1, gate1, shift2, scale2, gate2] = modulation as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const qkv = linearLayer(params, `${name}.attn.qkv`, layerNormModulate(x, shift1, scale1)); // -> [B, N, 3D]
    const attended = linearLayer(params, `${name}.attn.proj`, attention(qkv, heads)); // -> [B, N, D]
    const h = between(gatedResidual(x, attended, gate1));
    const hidden = linearLayer(params, `${name}.mlp.fc1`, layerNormModulate(h, shift2, scale2), 'gelu'); // -> [B, N, 4D]
    return gatedResidual(h, linearLayer(params, `${name}.mlp.fc2`, hidden), gate2); // -> [B, N, D]
  });
}

export function blockParameters(name: string, D: number): ParameterSpec[] {
  return [
    ...linearParameters(`${name}.attn.qkv`, 3 * D, D),
    ...linearParameters(`${name}.attn.proj`, D, D),
    ...linearParameters(`${name}.mlp.fc1`, mlpRatio * D, D),
    ...linearParameters(`${name}.mlp.fc2`, D, mlpRatio * D),
    ...linearParameters(`${name}.adaLN_modulation.1`, 6 * D, D, zeros),
  ];
}

/** What the output is projected from: h [B, N, D], c [B, D] -> [B, N, D] */
export function finalModulation(params: Parameters, h: Tensor, c: Tensor): Tensor {
  const modulation = split(linearLayer(params, 'final_layer.adaLN_modulation.1', c), 1, 2); // -> 2 x [B, D]
  const [shift, scale] = modulation as [Tensor, Tensor];
  return layerNormModulate(h, shift, scale);
}

export function finalModulationParameters(D: number): ParameterSpec[] {
  return linearParameters('final_layer.adaLN_modulation.1', 2 * D, D, zeros);
}
