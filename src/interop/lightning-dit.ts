// LightningDiT (https://github.com/hustvl/LightningDiT) has the names of the public DiT release, and more where its parts are others.
import type { BlockParts } from '../models/dit-parts.ts';
import type { LazyTensors } from './weights-file.ts';

/**
 * What the blocks of weights are made of, by names and shapes that no other parts have.
 * @returns only what is not as in the public release of DiT
 */
export function partsOf(tensors: LazyTensors): BlockParts {
  const queryNorm = tensors.has('blocks.0.attn.q_norm.bias') ? 'layer' : 'rms';
  const [rows = 0, width = 0] = tensors.get('blocks.0.adaLN_modulation.1.weight')?.shape ?? [];
  return {
    ...(tensors.has('blocks.0.norm1.weight') && { norm: 'rms' }),
    ...(tensors.has('blocks.0.attn.q_norm.weight') && { qkNorm: queryNorm }),
    ...(tensors.has('blocks.0.mlp.w12.weight') && { mlp: 'swiglu' }),
    ...(tensors.has('feat_rope.freqs_cos') && { rotary: true }),
    ...(width > 0 && rows === 4 * width && { shifts: false }),
  };
}

/** `RMS norms, SwiGLU`; undefined of blocks as in the public release of DiT. */
export function describeParts({
  norm,
  qkNorm = 'none',
  mlp,
  rotary,
  shifts,
}: BlockParts): string | undefined {
  const parts = [
    norm === 'rms' && 'RMS norms with weights',
    qkNorm !== 'none' && `${qkNorm === 'rms' ? 'RMS' : 'layer'} norms of queries and keys`,
    mlp === 'swiglu' && 'SwiGLU in place of the MLP',
    rotary && 'rotary positions',
    shifts === false && 'modulation without shifts',
  ].filter((part) => typeof part === 'string');
  return parts.length > 0 ? parts.join(', ') : undefined;
}
