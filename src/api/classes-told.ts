import { classesOf } from '../train/create-model.ts';
import type { RunModel } from './run-sampler.ts';

/** Classes that a model was trained on: it may have room for more. */
export function classesTold({ config, data }: Pick<RunModel, 'config' | 'data'>): number {
  const classes = classesOf(config.model);
  return Math.min(classes, data.classes ?? classes);
}
