import type { DataConfig } from '../sources/settings.ts';
import type { RunConfig } from '../config/config.ts';
import { classesOf } from '../train/create-model.ts';

/**
 * The data of a run that goes on. What its model is told was decided when it began: captions that lie beside the samples by
 * now do not change it.
 */
export function dataOfRun({ data, model }: Pick<RunConfig, 'data' | 'model'>): DataConfig {
  if (!('condition' in data) || data.condition !== 'auto' || model.kind === 'custom') return data;
  if (model.kind === 'text-dit') return { ...data, condition: 'caption' };
  return { ...data, condition: classesOf(model) > 0 ? 'class' : 'none' };
}
