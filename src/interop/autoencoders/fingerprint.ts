import { createHash } from 'node:crypto';
import { bytesOf } from '../../formats/safetensors.ts';
import { type AutoencoderConfig, resolveAutoencoderConfig } from '../../models/autoencoders/config.ts';
import { createAutoencoder } from '../../models/autoencoders/create.ts';
import type { StoredTensors } from '../../tensor/stored-tensor.ts';
import { toFloat32 } from '../../tensor/to-float32.ts';

/**
 * What tells an autoencoder from another: a digest of its parameters' names, shapes and values as float32, and of the groups of its
 * norms, which they do not show. The same however they were stored; scale and shift, which its latents do not depend on, do not count.
 * @returns SHA-256 in hexadecimal digits
 */
export function fingerprintAutoencoder(config: AutoencoderConfig, weights: StoredTensors): string {
  const resolved = resolveAutoencoderConfig(config);
  const groups = resolved.kind === 'kl' ? resolved.normGroups : resolved.poolGroups;
  const hash = createHash('sha256').update(JSON.stringify([resolved.kind, groups]));
  const { parameters } = createAutoencoder(config);
  for (const { name, shape } of parameters.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    hash.update(JSON.stringify([name, shape]));
    hash.update(bytesOf(toFloat32(weights.get(name)!)));
  }
  return hash.digest('hex');
}
