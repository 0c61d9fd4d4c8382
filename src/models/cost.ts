// Floating-point operations, a multiplication and an addition counted as two. Only products are counted: the rest is less
// than a hundredth and is bound by memory.
import { timeFrequencies } from '../nn/layers.ts';
import { type DiTConfig, resolveDiTConfig } from './dit-config.ts';
import { type BlockParts, hiddenOf } from './dit-parts.ts';
import { type TextConfig, type TextDiTConfig, resolveTextDiTConfig } from './text-dit-config.ts';
import { type ExpressionDiTConfig, resolveExpressionDiTConfig } from './expression-dit-config.ts';

/** Floating-point operations for one sample. */
export interface Cost {
  /** One evaluation of the velocity. */
  readonly forward: number;
  /** Forward and backward pass of a training step. */
  readonly training: number;
}

/**
 * What a model costs per image. In a block, forward and backward: 72 D^2 per token for the linear layers, 14 N^2 D for
 * attention, whose backward pass computes the scores again, and 36 D^2 for the modulation.
 */
export function costPerImage(config: DiTConfig): Cost {
  const resolved = resolveDiTConfig(config);
  const { width: D, depth, patchSize, channels, imageSize, sizeConditioning } = resolved;
  const N = (imageSize[0] * imageSize[1]) / patchSize ** 2;
  const pixels = channels * patchSize ** 2;
  return total([
    transformerCost(N, D, depth, resolved),
    firstLinearCost(N, pixels, D),
    linearCost(N, D, pixels),
    ...(sizeConditioning ? [firstLinearCost(1, 6 * timeFrequencies, D), linearCost(1, D, D)] : []),
  ]);
}

/** What a model costs per cell: a token has a projection of its own, which costs as much as a shared one. */
export function costPerCell(config: ExpressionDiTConfig): Cost {
  const { width: D, depth, groupSize, genes } = resolveExpressionDiTConfig(config);
  const T = Math.ceil(genes / groupSize);
  return total([transformerCost(T, D, depth), firstLinearCost(T, groupSize, D), linearCost(T, D, groupSize)]);
}

/**
 * What a model costs per image and caption, all of whose tokens are counted: attention does not spend time on padding, the
 * layers around it do.
 */
export function costPerCaptionedImage(config: TextDiTConfig): Cost {
  const { text, width: D, depth, ...image } = resolveTextDiTConfig(config);
  const N = (image.imageSize[0] * image.imageSize[1]) / image.patchSize ** 2;
  return total([
    costPerImage({ ...image, width: D, depth, classes: 0 }),
    repeated(depth, attentionLayerCost(N, text.length, D, text.width)),
    linearCost(1, text.width, D),
    textEncoderCost(text),
  ]);
}

/** Frozen embeddings cost nothing. */
function textEncoderCost(text: TextConfig): Cost {
  if (text.kind === 'embeddings') return { forward: 0, training: 0 };
  const { length: L, width: W, depth } = text;
  return repeated(
    depth,
    total([attentionLayerCost(L, L, W, W), linearCost(L, W, 4 * W), linearCost(L, 4 * W, W)]),
  );
}

/** N queries of width D attend to M tokens of width W. */
function attentionLayerCost(N: number, M: number, D: number, W: number): Cost {
  return total([linearCost(N, D, D), linearCost(M, W, 2 * D), attentionCost(N, M, D), linearCost(N, D, D)]);
}

/** The backward pass computes the scores again. */
function attentionCost(N: number, M: number, D: number): Cost {
  return { forward: 4 * N * M * D, training: 14 * N * M * D };
}

/** Queries and keys are turned by a product with a constant, which has no gradient. @param h features of a head */
function rotationCost(N: number, D: number, h: number): Cost {
  return { forward: 4 * N * D * h, training: 8 * N * D * h };
}

/** The blocks, the embedding of the time and the last modulation. */
function transformerCost(
  N: number,
  D: number,
  depth: number,
  { mlp, rotary = false, shifts = true, heads = 1 }: BlockParts & { readonly heads?: number } = {},
): Cost {
  const m = hiddenOf(D, mlp);
  const block = total([
    linearCost(N, D, 3 * D),
    attentionCost(N, N, D),
    linearCost(N, D, D),
    linearCost(N, D, mlp === 'swiglu' ? 2 * m : m),
    linearCost(N, m, D),
    linearCost(1, D, (shifts ? 6 : 4) * D),
    ...(rotary ? [rotationCost(N, D, D / heads)] : []),
  ]);
  return total([
    repeated(depth, block),
    firstLinearCost(1, timeFrequencies, D),
    linearCost(1, D, D),
    linearCost(1, D, 2 * D),
  ]);
}

/** Forward, and the gradients of input and weight: three products of the same size. */
function linearCost(rows: number, inputs: number, outputs: number): Cost {
  const product = 2 * rows * inputs * outputs;
  return { forward: product, training: 3 * product };
}

/** A layer on data, which need no gradient. */
function firstLinearCost(rows: number, inputs: number, outputs: number): Cost {
  const product = 2 * rows * inputs * outputs;
  return { forward: product, training: 2 * product };
}

function repeated(times: number, { forward, training }: Cost): Cost {
  return { forward: times * forward, training: times * training };
}

function total(costs: readonly Cost[]): Cost {
  return costs.reduce((sum, { forward, training }) => ({
    forward: sum.forward + forward,
    training: sum.training + training,
  }));
}
