import type { Backend } from '../backends/backend.ts';
import { decoding, encoding } from '../latents/passes.ts';
import { bytesOf } from '../latents/layout.ts';
import type { Autoencoder, AutoencoderCost } from '../models/autoencoders/autoencoder.ts';
import { countParameters } from '../models/model.ts';
import type { Shape } from '../tensor/shape.ts';

export interface AutoencoderNeeds {
  readonly parameters: number;
  /** Floating-point operations of one picture. */
  readonly cost: AutoencoderCost;
  /** Bytes that one picture takes beside the weights, at once and not in tiles. */
  readonly memory: { readonly encode: number; readonly decode: number };
}

/**
 * What an autoencoder needs for a picture, from plans of its programs: nothing of that size is allocated.
 * @param imageShape [C, H, W]
 * @throws RectiflowError where the shape does not fit the autoencoder
 */
export function autoencoderNeeds(
  autoencoder: Autoencoder,
  imageShape: Shape,
  backend: Backend,
): AutoencoderNeeds {
  autoencoder.checkShape(imageShape);
  const [rows, columns] = imageShape.slice(1).map((side) => side / autoencoder.factor) as [number, number];
  return {
    parameters: countParameters(autoencoder),
    cost: autoencoder.cost(imageShape),
    memory: {
      encode: bytesOf(backend, encoding(autoencoder).whole, 1, rows, columns),
      decode: bytesOf(backend, decoding(autoencoder).whole, 1, rows, columns),
    },
  };
}
