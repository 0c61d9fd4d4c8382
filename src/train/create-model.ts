import { kindOf } from '../models/kinds/index.ts';
import { type SampleModel, type VelocityModel, isVelocity } from '../models/model.ts';
import type { TextConfig } from '../models/text-dit-config.ts';
import { configError, describeProblem } from '../tensor/config-error.ts';
import { provisionalText } from './conditioning.ts';
import { checkOwn } from './own.ts';
import type { ModelConfig } from './settings.ts';

/** What a config calls "custom", which the program that trains, resumes or samples hands over. */
export interface OwnModel {
  /** Needed where model.kind is custom. */
  readonly model?: VelocityModel | undefined;
}

/**
 * The model that a config describes, whatever it learns.
 * @param text of a model that is told captions: what they are for it; by default their bytes
 * @throws RectiflowError where its sizes do not fit together, or the config and what is handed over do not
 */
export function createSampleModel(config: ModelConfig, text?: TextConfig, own: OwnModel = {}): SampleModel {
  checkOwn('model', 'model', config.kind, own.model);
  const told = 'text' in config ? (text ?? provisionalText(config.text)) : undefined;
  return kindOf(config.kind).create(config, { text: told, own: own.model });
}

/**
 * The velocity that a config describes.
 * @throws RectiflowError as `createSampleModel` does, and where the config describes another kind of model
 */
export function createModel(config: ModelConfig, text?: TextConfig, own: OwnModel = {}): VelocityModel {
  const model = createSampleModel(config, text, own);
  if (isVelocity(model)) return model;
  throw configError('config', [describeProblem(['model', 'kind'], 'one that says a velocity', config.kind)]);
}

/** 0 for a model without labels. */
export function classesOf(model: ModelConfig): number {
  return 'classes' in model ? model.classes : 0;
}
