import { DiT } from '../models/dit.ts';
import { ExpressionDiT } from '../models/expression-dit.ts';
import type { Model } from '../models/model.ts';
import { TextDiT } from '../models/text-dit.ts';
import type { TextConfig } from '../models/text-dit-config.ts';
import { provisionalText } from './conditioning.ts';
import type { ModelConfig } from './config.ts';

/**
 * The model that a config describes.
 * @param text of a model that is told captions: what they are for it; by default their bytes
 * @throws RectiflowError where its sizes do not fit together
 */
export function createModel(config: ModelConfig, text?: TextConfig): Model {
  switch (config.kind) {
    case 'dit':
      return new DiT(config);
    case 'text-dit':
      return new TextDiT({ ...config, text: text ?? provisionalText(config.text) });
    case 'expression-dit':
      return new ExpressionDiT(config);
  }
}
