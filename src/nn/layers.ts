// Layers as functions of the parameters' names: `linearLayer(params, 'blocks.0.mlp.fc1', x)` uses blocks.0.mlp.fc1.weight
// and .bias. Each stands beside the declaration of what it uses.
import { type Activation, gather, linear, timestepEmbedding } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Initializer, normal, xavierUniform, zeros } from './initializers.ts';
import type { ParameterSpec, Parameters } from './parameters.ts';

/** Sines and cosines of the time, before the timestep embedder's layers. */
export const timeFrequencies = 256;
const embeddingDeviation = 0.02;

/** weight [out, in] and a bias [out] that starts at zero. */
export function linearParameters(
  name: string,
  outputs: number,
  inputs: number,
  init: Initializer = xavierUniform,
): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [outputs, inputs], init, trainable: true },
    { name: `${name}.bias`, shape: [outputs], init: zeros, trainable: true },
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
  return [{ name: table, shape: [classes + 1, width], init: normal(embeddingDeviation), trainable: true }];
}

/** labels int32 [B] in 0..classes, which the caller sees to -> [B, D] */
export function labelEmbedder(params: Parameters, name: string, labels: Tensor): Tensor {
  return gather(params(`${name}.embedding_table.weight`), labels);
}
