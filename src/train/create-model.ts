import { DiT } from '../models/dit.ts';
import { ExpressionDiT } from '../models/expression-dit.ts';
import type { Model } from '../models/model.ts';
import type { ModelConfig } from './config.ts';

/**
 * The model that a config describes.
 * @throws RectiflowError where its sizes do not fit together
 */
export function createModel(config: ModelConfig): Model {
  switch (config.kind) {
    case 'dit':
      return new DiT(config);
    case 'expression-dit':
      return new ExpressionDiT(config);
    default:
      throw new Error(config.kind);
  }
}
