import { configError, describeProblem } from '../../tensor/config-error.ts';
import { internalError } from '../../tensor/errors.ts';
import { classesSetting } from '../dit-config.ts';
import { type VelocityModel, labelCondition } from '../model.ts';
import type { Kind } from './kind.ts';

/** A `VelocityModel` of the program that trains. */
export interface CustomModel {
  readonly kind: 'custom';
  /** That it is told labels of, as `labelCondition` declares them; by default those of the data. 0: it is told nothing. */
  readonly classes: number;
}

export const custom: Kind<CustomModel> = {
  settings: { classes: classesSetting },
  fromData: ({ classes = 0 }) => ({ classes }),
  create(config, { own }) {
    if (own === undefined) throw internalError('a model of a program is made without it');
    checkConditions(config, own);
    checkParameters(own);
    return own;
  },
};

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

/** Programs of version 0.1 declared tables that are not trained as parameters: now they would be. */
function checkParameters({ parameters }: VelocityModel): void {
  const fixed = parameters.find((spec) => 'trainable' in spec && spec.trainable === false);
  if (fixed === undefined) return;
  const wanted = 'only what is trained; make a fixed table with ops.constant in velocity';
  const found = `${fixed.name} with trainable: false`;
  throw configError('config', [describeProblem(['model', 'parameters'], wanted, found)]);
}
