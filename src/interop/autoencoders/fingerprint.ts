import { createHash } from 'node:crypto';
import { bytesOf } from '../../formats/safetensors.ts';
import { type AutoencoderConfig, resolveAutoencoderConfig } from '../../models/autoencoders/config.ts';
import { createAutoencoder } from '../../models/autoencoders/create.ts';
import type { StoredTensors } from '../../tensor/stored-tensor.ts';
import { toFloat32 } from '../../tensor/to-float32.ts';

/**
 * What tells an autoencoder from another: a digest of its sizes and its weights as float32, in the order of their names. The same
 * however they were stored; scale and shift, which its latents do not depend on, do not count.
 * @returns SHA-256 in hexadecimal digits
 */
export function fingerprintAutoencoder(config: AutoencoderConfig, weights: StoredTensors): string {
  const { scaling: _, ...sizes } = resolveAutoencoderConfig(config);
  const hash = createHash('sha256');
  hash.update(JSON.stringify(Object.entries(sizes).toSorted(([a], [b]) => (a < b ? -1 : 1))));
  const names = createAutoencoder(config).parameters.map(({ name }) => name);
  for (const name of names.toSorted()) {
    hash.update(JSON.stringify(name));
    hash.update(bytesOf(toFloat32(weights.get(name)!)));
  }
  return hash.digest('hex');
}
