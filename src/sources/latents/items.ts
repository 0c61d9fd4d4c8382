// Latents of images wherever they are kept: what each layout is read as.
import type { LatentScale } from '../../tensor/latent-scale.ts';
import type { Captions, ImageShape } from '../../data/source.ts';
import type { Unused } from '../../data/told.ts';

/** What an autoencoder says of an image. */
export interface Encoding {
  /** [C, H, W] */
  readonly mean: Float32Array;
  /** [C, H, W]; absent where the latents are one draw, or the autoencoder says one thing only. */
  readonly deviation?: Float32Array | undefined;
}

/** Of each channel, over a set. */
export interface ChannelStatistics {
  readonly mean: readonly number[];
  /** Of what is drawn: of the means and of the draws around them. */
  readonly deviation: readonly number[];
}

/** An autoencoder as latents know it. */
export interface KnownAutoencoder {
  readonly fingerprint: string;
  readonly scaling: LatentScale;
  /** Its folder. */
  readonly path: string;
}

/** A set may have millions: what is here answers without holding them. */
export interface LatentItems {
  /** How errors call the set. */
  readonly name: string;
  readonly count: number;
  /** [C, H, W] of one. */
  readonly shape: ImageShape;
  /** Whether the mirrored images were encoded, too. */
  readonly isMirrored: boolean;
  /** Whether there are deviations to draw with. */
  readonly hasDeviations: boolean;
  /** @throws RectiflowError naming the file that cannot be read, or is another than it was */
  read(index: number, mirrored: boolean): Promise<Encoding>;
  readonly labels?: ArrayLike<number> | undefined;
  readonly classes?: number | undefined;
  readonly classNames?: readonly string[] | undefined;
  /** Absent where the set has no captions. */
  caption?(index: number): Captions | Promise<Captions>;
  readonly severalCaptions?: boolean | undefined;
  describe(index: number): string;
  /** As `Source.fingerprint`. */
  fingerprint(): string | Promise<string>;
  /** Of the whole set, where the layout states them. */
  readonly statistics?: ChannelStatistics | undefined;
  /** Where the layout knows it. */
  readonly autoencoder?: KnownAutoencoder | undefined;
  /** How often images were to be mirrored, where the layout says. */
  readonly flip?: number | undefined;
  /** Where labels and captions are from. */
  readonly told?: Readonly<Partial<Record<'label' | 'caption', string>>>;
  readonly unused?: readonly Unused[];
  readonly remarks?: readonly string[];
  close(): Promise<void>;
}
