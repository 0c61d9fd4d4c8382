// Layers as functions of the parameters' names: `linearLayer(params, 'blocks.0.mlp.fc1', x)` uses blocks.0.mlp.fc1.weight
// and .bias. Each stands beside the declaration of what it uses.
import {
  type Activation,
  affine,
  broadcastTo,
  crossAttention,
  gather,
  layerNormModulate,
  linear,
  timestepEmbedding,
} from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Initializer, normal, ones, xavierUniform, zeros } from './initializers.ts';
import type { ParameterSpec, Parameters } from './parameters.ts';

/** Sines and cosines of the time, before the timestep embedder's layers. */
export const timeFrequencies = 256;
/** Of the normal distribution that tables of embeddings start from. */
export const embeddingDeviation = 0.02;

/** weight [out, in] and a bias [out] that starts at zero. */
export function linearParameters(
  name: string,
  outputs: number,
  inputs: number,
  init: Initializer = xavierUniform,
): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [outputs, inputs], init },
    { name: `${name}.bias`, shape: [outputs], init: zeros },
  ];
}

/** x [..., in] -> [..., out] */
export function linearLayer(params: Parameters, name: string, x: Tensor, activation?: Activation): Tensor {
  return linear(x, params(`${name}.weight`), params(`${name}.bias`), activation);
}

export function timestepEmbedderParameters(name: string, width: number): ParameterSpec[] {
  const init = normal(embeddingDeviation);
  return [
    ...linearParameters(`${name}.mlp.0`, width, timeFrequencies, init),
    ...linearParameters(`${name}.mlp.2`, width, width, init),
  ];
}

/** Frequencies of timeScale * t, then two linear layers with SiLU between. t [B] in [0, 1], float32 -> [B, D] */
export function timestepEmbedder(params: Parameters, name: string, t: Tensor, timeScale: number): Tensor {
  const frequencies = timestepEmbedding(t, timeFrequencies, timeScale); // -> [B, 256]
  return linearLayer(params, `${name}.mlp.2`, linearLayer(params, `${name}.mlp.0`, frequencies, 'silu'));
}

/** A row for each class and one, the last, for the null label. */
export function labelEmbedderParameters(name: string, classes: number, width: number): ParameterSpec[] {
  const table = `${name}.embedding_table.weight`;
  return [{ name: table, shape: [classes + 1, width], init: normal(embeddingDeviation) }];
}

/** labels int32 [B] in 0..classes, which the caller sees to -> [B, D] */
export function labelEmbedder(params: Parameters, name: string, labels: Tensor): Tensor {
  return gather(params(`${name}.embedding_table.weight`), labels);
}

export function layerNormParameters(name: string, width: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [width], init: ones },
    { name: `${name}.bias`, shape: [width], init: zeros },
  ];
}

/** (x - mean) / sqrt(variance + 1e-6) weight + bias over the last axis (Ba et al. 2016): x [B, N, D] -> [B, N, D] */
export function layerNormLayer(params: Parameters, name: string, x: Tensor): Tensor {
  // The op that has kernels takes a shift and a scale for each sample.
  const forEach = (vector: Tensor): Tensor => broadcastTo(vector, [x.shape[0]!, x.shape[2]!]);
  const scale = affine(params(`${name}.weight`), 1, -1);
  return layerNormModulate(x, forEach(params(`${name}.bias`)), forEach(scale));
}

/**
 * @param width of the queries and of the result
 * @param contextWidth of what is attended to
 * @param projection what the output's weight starts with
 */
export function crossAttentionParameters(
  name: string,
  width: number,
  contextWidth: number,
  projection: Initializer = xavierUniform,
): ParameterSpec[] {
  return [
    ...linearParameters(`${name}.q`, width, width),
    ...linearParameters(`${name}.kv`, 2 * width, contextWidth),
    ...linearParameters(`${name}.proj`, width, width, projection),
  ];
}

/** x [B, N, D] attends to the first lengths[b] tokens of context [B, M, W]: -> [B, N, D] */
export function crossAttentionLayer(
  params: Parameters,
  name: string,
  x: Tensor,
  { tokens, lengths }: { tokens: Tensor; lengths: Tensor },
  heads: number,
): Tensor {
  const q = linearLayer(params, `${name}.q`, x);
  const kv = linearLayer(params, `${name}.kv`, tokens);
  return linearLayer(params, `${name}.proj`, crossAttention(q, kv, lengths, heads));
}
