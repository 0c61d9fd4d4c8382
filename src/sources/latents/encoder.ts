import type { Source } from '../../data/source.ts';
import type { EncodingSettings } from './manifest.ts';

/** What makes latents of images. */
export interface LatentEncoder {
  /**
   * @param images [B, C, H, W] in [-1, 1]
   * @returns [B, z, h, w] each; no deviations where the autoencoder is certain
   */
  encode(images: Float32Array, count: number): Promise<{ mean: Float32Array; deviation?: Float32Array }>;
  /** Writes the autoencoder into a folder that is not there. */
  write(folder: string): Promise<void>;
}

export interface EncodeSourceOptions {
  readonly encoder: LatentEncoder;
  readonly settings: EncodingSettings;
  /** The same images mirrored, where `settings.flip` is above 0. */
  readonly mirrored?: Source | undefined;
  /** Images that the encoder gets at a time. */
  readonly batchSize: number;
  /** Hears of samples that are done, those of earlier calls among them. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Stops between two batches, with the signal's reason; the next call goes on. */
  readonly signal?: AbortSignal | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
}
