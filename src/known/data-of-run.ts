import { locatedData } from '../sources/in-run.ts';
import type { DataConfig } from '../sources/settings.ts';
import type { RunConfig } from '../config/config.ts';
import { classesOf } from '../train/create-model.ts';

type Told = Pick<RunConfig, 'data' | 'model'>;

/** The data of a run that goes on, found from here. @param run its folder, which may have them with it */
export function dataOfRun({ data, model }: Told, run: string): DataConfig {
  return dataAsTold({ data: locatedData(data, run), model });
}

/** What its model is told was decided when a run began: captions that lie beside the samples by now do not change it. */
export function dataAsTold({ data, model }: Told): DataConfig {
  if (!('condition' in data) || data.condition !== 'auto' || model.kind === 'custom') return data;
  if (model.kind === 'text-dit') return { ...data, condition: 'caption' };
  return { ...data, condition: classesOf(model) > 0 ? 'class' : 'none' };
}
