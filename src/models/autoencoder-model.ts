import type { Cost } from './cost.ts';
import type { Autoencoder } from './autoencoders/autoencoder.ts';
import type { AutoencoderConfig } from './autoencoders/config.ts';
import { createAutoencoder } from './autoencoders/create.ts';
import type { SampleModel } from './model.ts';
import type { ParameterSpec } from '../nn/parameters.ts';
import type { Shape } from '../tensor/shape.ts';

export interface AutoencoderModelOptions {
  /** [C, H, W] of the pictures that it learns. */
  readonly sampleShape: Shape;
  /** How much the distance of latents from N(0, 1) counts beside the error of a picture. */
  readonly klWeight: number;
}

/** An autoencoder that learns from pictures. */
export class AutoencoderModel implements SampleModel {
  readonly config: AutoencoderConfig;
  readonly autoencoder: Autoencoder;
  readonly sampleShape: Shape;
  readonly klWeight: number;

  /** @throws RectiflowError where the sizes do not fit together, or with the size of the pictures */
  constructor(config: AutoencoderConfig, { sampleShape, klWeight }: AutoencoderModelOptions) {
    this.config = config;
    this.autoencoder = createAutoencoder(config);
    this.sampleShape = sampleShape;
    this.klWeight = klWeight;
    this.checkShape(sampleShape);
  }

  get parameters(): readonly ParameterSpec[] {
    return this.autoencoder.parameters;
  }

  checkShape(sampleShape: Shape): void {
    this.autoencoder.checkShape(sampleShape);
  }

  /** Backwards each product has two. */
  cost(sampleShape: Shape): Cost {
    const { encode, decode } = this.autoencoder.cost(sampleShape);
    return { forward: encode + decode, training: 3 * (encode + decode) };
  }
}

export function isAutoencoder(model: SampleModel): model is AutoencoderModel {
  return model instanceof AutoencoderModel;
}
