import { DiT } from '../models/dit.ts';
import { ExpressionDiT } from '../models/expression-dit.ts';
import { type VelocityModel, labelCondition } from '../models/model.ts';
import { TextDiT } from '../models/text-dit.ts';
import type { TextConfig } from '../models/text-dit-config.ts';
import { provisionalText } from './conditioning.ts';
import { configError, describeProblem } from '../tensor/config-error.ts';
import type { CustomModel, ModelConfig } from './settings.ts';
import { checkOwn } from './own.ts';

/** What a config calls "custom", which the program that trains, resumes or samples hands over. */
export interface OwnModel {
  /** Needed where model.kind is custom. */
  readonly model?: VelocityModel | undefined;
}

/**
 * The model that a config describes.
 * @param text of a model that is told captions: what they are for it; by default their bytes
 * @throws RectiflowError where its sizes do not fit together, or the config and what is handed over do not
 */
export function createModel(config: ModelConfig, text?: TextConfig, own: OwnModel = {}): VelocityModel {
  checkOwn('model', 'model', config.kind, own.model);
  switch (config.kind) {
    case 'dit':
      return new DiT(config);
    case 'text-dit':
      return new TextDiT({ ...config, text: text ?? provisionalText(config.text) });
    case 'expression-dit':
      return new ExpressionDiT(config);
    case 'custom':
      checkConditions(config, own.model!);
      return own.model!;
  }
}

/** Labels are what samples of any source may have; more cannot be told to a model that is not known. */
function checkConditions({ classes }: CustomModel, { conditions }: VelocityModel): void {
  const [wanted] = labelCondition(classes);
  const [found, ...more] = conditions;
  if (more.length === 0 && found?.name === wanted?.name && found?.limit === wanted?.limit) return;
  const conditionsFound = conditions.map(({ name, limit }) => `${name} below ${limit}`).join(', ') || 'none';
  const isFor = wanted
    ? `labelCondition(${classes}), for model.classes ${classes}`
    : 'none, for model.classes 0';
  throw configError('config', [describeProblem(['model', 'conditions'], isFor, conditionsFound)]);
}

/** 0 for a model without labels. */
export function classesOf(model: ModelConfig): number {
  return model.kind === 'text-dit' ? 0 : model.classes;
}
