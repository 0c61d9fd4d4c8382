/** One number for all channels, or one for each. */
export type PerChannel = number | readonly number[];

/** Of a latent z a diffusion model sees (z - shift) * scale. */
export interface LatentScale {
  readonly scale: PerChannel;
  readonly shift: PerChannel;
}
