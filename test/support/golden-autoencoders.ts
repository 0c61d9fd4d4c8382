// Autoencoders that other code ran: test/golden/autoencoders holds what is always there, ../shared the others.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readSafetensors } from '../../src/formats/safetensors-file.ts';
import { toFloat32 } from '../../src/tensor/to-float32.ts';

export interface GoldenAutoencoder {
  readonly label: string;
  /** config.json and weights. */
  readonly folder: string;
  /** Why it cannot be read here; undefined where it can. */
  readonly skip: string | undefined;
}

const here = fileURLToPath(new URL('../golden/autoencoders/', import.meta.url));
const shared = fileURLToPath(new URL('../../../shared/', import.meta.url));

const known = (label: string, folder: string): GoldenAutoencoder => ({
  label,
  folder,
  skip: existsSync(folder) ? undefined : 'there is no ../shared',
});

export const goldenAutoencoders = {
  /** AutoencoderKL with quant convolutions, of 4 channels. */
  sd: known('AutoencoderKL as of Stable Diffusion', `${here}kl`),
  /** AutoencoderKL without, of 16 channels, shifted. */
  sd3: known('AutoencoderKL as of SD3', `${shared}golden/autoencoder-kl-tiny/sd3`),
  /** LDM's, with attention in the deeper of two levels. */
  attention: known('an autoencoder of LDM with attention in levels', `${here}kl-attention`),
  tiny: known('AutoencoderTiny', `${here}tiny`),
  taef2: known('TAEF2', `${shared}data/taef2`),
} as const;

/** What the other code made, by name. @param file values.safetensors of the folder by default */
export async function goldenValues(
  { folder }: GoldenAutoencoder,
  file = `${folder}/values.safetensors`,
): Promise<(name: string) => { readonly values: Float32Array; readonly shape: readonly number[] }> {
  const { tensors } = await readSafetensors(file);
  return (name) => {
    const stored = tensors.get(name)!;
    return { values: toFloat32(stored), shape: stored.shape };
  };
}

export const taef2Values = `${shared}golden/autoencoder-tiny/taef2.safetensors`;

/** The largest difference, as a share of the largest value: NaN where either is none, which is below nothing. */
export function largestError(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let [difference, largest] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    difference = Math.max(difference, Math.abs(got[i]! - wanted[i]!));
    largest = Math.max(largest, Math.abs(wanted[i]!));
  }
  return got.length === wanted.length ? difference / largest : Infinity;
}
