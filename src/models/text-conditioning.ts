// What a model that is told captions makes of them: vectors to attend to, and one vector for the whole caption.
//
//   B  captions in the batch      W  width of the text
//   L  tokens of a caption with its padding
//
// Padding is never attended to and not part of any mean, so what it holds does not matter.
import { normal } from '../nn/initializers.ts';
import {
  crossAttentionLayer,
  crossAttentionParameters,
  embeddingDeviation,
  layerNormLayer,
  layerNormParameters,
  linearLayer,
  linearParameters,
} from '../nn/layers.ts';
import type { ParameterSpec, Parameters } from '../nn/parameters.ts';
import { add, constant, div, gather, lengthMask, maximum, mul, reshape, sum } from '../ops/index.ts';
import { valueError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ConditionSpec, Conditions } from './model.ts';
import type { EmbeddedTextConfig, TextConfig, TokenTextConfig } from './text-dit-config.ts';

const mlpRatio = 4;

export interface EncodedText {
  /** [B, L, W] */
  readonly tokens: Tensor;
  /** int32 [B]: how many of the tokens are the caption's; the rest is padding. */
  readonly lengths: Tensor;
  /** The caption as a whole, [B, W]. */
  readonly pooled: Tensor;
}

/** One way of telling a model a caption. */
export interface TextConditioning {
  readonly conditions: readonly ConditionSpec[];
  readonly parameters: readonly ParameterSpec[];
  encode(params: Parameters, conditions: Conditions): EncodedText;
}

export function createTextConditioning(config: TextConfig): TextConditioning {
  return config.kind === 'tokens' ? tokenEncoder(config) : embeddingReader(config);
}

/**
 * Learned embeddings of tokens and of their places, then pre-norm transformer blocks in which every token attends to all
 * others. A caption as a whole is the mean of its tokens.
 */
function tokenEncoder(config: TokenTextConfig): TextConditioning {
  const { vocabulary, length: L, width: W, depth, heads, empty } = config;
  const blocks = Array.from({ length: depth }, (_, i) => `text.blocks.${i}`);
  const table = normal(embeddingDeviation);
  return {
    conditions: [
      { name: 'tokens', shape: [L], dtype: 'int32', absent: padded(empty, L), limit: vocabulary },
      lengthCondition(L, empty.length),
    ],
    parameters: [
      { name: 'text.token_embed', shape: [vocabulary, W], init: table },
      { name: 'text.pos_embed', shape: [1, L, W], init: table },
      ...blocks.flatMap((name) => encoderBlockParameters(name, W)),
      ...layerNormParameters('text.norm', W),
    ],
    encode(params, conditions) {
      const [ids, lengths] = [given(conditions, 'tokens'), given(conditions, 'length')];
      let h = add(gather(params('text.token_embed'), ids), params('text.pos_embed')); // -> [B, L, W]
      for (const name of blocks) h = encoderBlock(params, name, h, lengths, heads);
      const tokens = layerNormLayer(params, 'text.norm', h); // -> [B, L, W]
      return { tokens, lengths, pooled: meanOfTokens(tokens, lengths) };
    },
  };
}

/** Embeddings come from encoders of all scales, so they are normalised. */
function embeddingReader({ length: L, width: W, empty }: EmbeddedTextConfig): TextConditioning {
  const count = empty.embeddings.length / W;
  return {
    conditions: [
      { name: 'embeddings', shape: [L, W], dtype: 'float32', absent: padded(empty.embeddings, L * W) },
      { name: 'pooled', shape: [W], dtype: 'float32', absent: Array.from(empty.pooled) },
      lengthCondition(L, count),
    ],
    parameters: [...layerNormParameters('text.norm', W), ...layerNormParameters('text.pooled_norm', W)],
    encode(params, conditions) {
      const whole = given(conditions, 'pooled');
      const alone = reshape(whole, [whole.shape[0]!, 1, W]);
      return {
        tokens: layerNormLayer(params, 'text.norm', given(conditions, 'embeddings')),
        lengths: given(conditions, 'length'),
        pooled: reshape(layerNormLayer(params, 'text.pooled_norm', alone), whole.shape),
      };
    },
  };
}

function lengthCondition(L: number, absent: number): ConditionSpec {
  return { name: 'length', shape: [], dtype: 'int32', absent: [absent], limit: L + 1 };
}

/** Zeros up to `size`. */
function padded(values: ArrayLike<number>, size: number): number[] {
  return Array.from({ length: size }, (_, i) => values[i] ?? 0);
}

function given(conditions: Conditions, name: string): Tensor {
  const tensor = conditions[name];
  if (tensor === undefined) throw valueError('TextDiT', name, 'given: the model is told captions', tensor);
  return tensor;
}

/** h [B, L, W] -> [B, L, W] */
function encoderBlock(params: Parameters, name: string, x: Tensor, lengths: Tensor, heads: number): Tensor {
  return x.graph.block(() => {
    const tokens = layerNormLayer(params, `${name}.norm1`, x);
    const h = add(x, crossAttentionLayer(params, `${name}.attn`, tokens, { tokens, lengths }, heads));
    const hidden = linearLayer(params, `${name}.mlp.fc1`, layerNormLayer(params, `${name}.norm2`, h), 'gelu'); // -> [B, L, 4W]
    return add(h, linearLayer(params, `${name}.mlp.fc2`, hidden));
  });
}

function encoderBlockParameters(name: string, W: number): ParameterSpec[] {
  return [
    ...layerNormParameters(`${name}.norm1`, W),
    ...crossAttentionParameters(`${name}.attn`, W, W),
    ...layerNormParameters(`${name}.norm2`, W),
    ...linearParameters(`${name}.mlp.fc1`, mlpRatio * W, W),
    ...linearParameters(`${name}.mlp.fc2`, W, mlpRatio * W),
  ];
}

/** Over the tokens that exist; 0 where none does. tokens [B, L, W] -> [B, W] */
function meanOfTokens(tokens: Tensor, lengths: Tensor): Tensor {
  const [B, L] = tokens.shape as [number, number];
  const mask = lengthMask(lengths, L); // -> [B, L]
  const count = maximum(sum(mask, [1], true), constant(mask, [], Float64Array.of(1))); // -> [B, 1]
  return div(sum(mul(tokens, reshape(mask, [B, L, 1])), [1]), count);
}
