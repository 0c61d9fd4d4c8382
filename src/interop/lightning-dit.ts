// LightningDiT (https://github.com/hustvl/LightningDiT) is a DiT with other parts, whose weights mean nothing to a DiT without them.
import { fileError } from '../tensor/errors.ts';
import type { LazyTensors } from './weights-file.ts';

/** Each part by a name that only its weights have. */
const parts: readonly (readonly [name: string, part: string])[] = [
  ['blocks.0.norm1.weight', 'RMS norms with weights'],
  ['feat_rope.freqs_cos', 'rotary positions (RoPE)'],
  ['blocks.0.mlp.w12.weight', 'SwiGLU in place of the MLP'],
];
/** What other kinds of DiT have, too. */
const shared = ['blocks.0.attn.q_norm.weight', 'norms of queries and keys'] as const;
const modulation = 'blocks.0.adaLN_modulation.1.weight';

/** @throws RectiflowError that names the parts of LightningDiT which our models have not */
export function refuseLightning(tensors: LazyTensors, path: string): void {
  const found = parts.filter(([name]) => tensors.has(name)).map(named);
  const [rows = 0, width = 0] = tensors.get(modulation)?.shape ?? [];
  if (width > 0 && rows === 4 * width) found.push(`modulation without shifts (${modulation} of 4 D rows)`);
  if (found.length === 0) return;
  if (tensors.has(shared[0])) found.push(named(shared));
  const problem = `is a LightningDiT, with parts that no model here has: ${found.join(', ')}`;
  const advice = 'Give a DiT or a SiT. The latents of LightningDiT can be trained on: data.source latents';
  throw fileError(path, problem, advice);
}

function named([name, part]: readonly [name: string, part: string]): string {
  return `${part} (${name})`;
}
