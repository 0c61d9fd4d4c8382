import { RectiflowError } from '../tensor/errors.ts';

/** The sizes of a Diffusion Transformer. They travel with its weights. */
export interface DiTConfig {
  /** Features of a token; a multiple of 4 and of `heads`. */
  readonly width: number;
  /** Transformer blocks. */
  readonly depth: number;
  /** Attention heads of a block. */
  readonly heads: number;
  /** Side of the square of pixels that makes a token. */
  readonly patchSize: number;
  /** Channels of an image. */
  readonly channels: number;
  /** [height, width] in pixels, multiples of `patchSize`. */
  readonly imageSize: readonly [height: number, width: number];
  /** 0 for a model without labels. */
  readonly classes: number;
  /** What t in [0, 1] is multiplied with before it is embedded; 1000 by default, which matches the frequencies' range. */
  readonly timeScale?: number;
}

export type ResolvedDiTConfig = Required<DiTConfig>;

function configError(argument: string, wanted: string, got: unknown): RectiflowError {
  return new RectiflowError('config', `DiT: ${argument} must be ${wanted}, got ${String(got)}`);
}

/**
 * Fills in defaults and checks that the sizes fit together.
 * @throws RectiflowError that names the field, what it must be and what it is
 */
export function resolveDiTConfig(config: DiTConfig): ResolvedDiTConfig {
  const resolved = { timeScale: 1000, ...config };
  const { width, heads, patchSize, imageSize, classes, timeScale } = resolved;
  const [imageHeight, imageWidth] = imageSize;
  const sizes = { width, depth: config.depth, heads, patchSize, channels: config.channels };
  for (const [name, value] of Object.entries({
    ...sizes,
    'image height': imageHeight,
    'image width': imageWidth,
  })) {
    if (!Number.isSafeInteger(value) || value < 1) throw configError(name, 'a positive integer', value);
  }
  if (!Number.isSafeInteger(classes) || classes < 0) {
    throw configError('classes', 'an integer from 0 (no labels) up', classes);
  }
  if (!(timeScale > 0 && Number.isFinite(timeScale))) {
    throw configError('timeScale', 'a positive number', timeScale);
  }
  if (width % 4 !== 0) {
    throw configError('width', 'a multiple of 4, for the sines and cosines of row and column', width);
  }
  if (width % heads !== 0) throw configError('heads', `a divisor of the width ${width}`, heads);
  if (imageHeight % patchSize !== 0 || imageWidth % patchSize !== 0) {
    throw new RectiflowError(
      'config',
      `DiT: the image size must be a multiple of the patch size ${patchSize} on both sides, got ` +
        `${imageHeight} x ${imageWidth}. Resize or pad the images, or choose a patch size of ` +
        `${commonDivisors(imageHeight, imageWidth).join(', ')}`,
    );
  }
  return resolved;
}

function commonDivisors(a: number, b: number): number[] {
  return Array.from({ length: Math.min(a, b) }, (_, i) => i + 1).filter((d) => a % d === 0 && b % d === 0);
}
