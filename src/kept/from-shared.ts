// A run that goes on from a shared model: it begins with its weights, as one that was imported does.
import type { Module } from '../nn/module.ts';
import type { ShareManifest } from '../share/manifest.ts';
import { valueError } from '../tensor/errors.ts';
import type { StoredTensors } from '../tensor/stored-tensor.ts';
import { classesOf } from '../train/create-model.ts';
import { toldTo } from '../train/data-record.ts';
import { firstCheckpoint } from '../train/first-checkpoint.ts';
import type { Checkpoint } from '../train/run-store.ts';
import type { TrainingConfig } from '../train/settings.ts';

export interface SharedStart {
  /** Of the run that begins: model and objective are those of the manifest. */
  readonly config: TrainingConfig;
  readonly manifest: ShareManifest;
  /** As `readShare` gives them: float32, whatever numbers they came as. */
  readonly weights: StoredTensors;
  /** `createModel(config.model, text)`; `text` of a model of captions is that of `conditioningOf(config.model, manifest.data.tokenizer)` */
  readonly model: Pick<Module, 'parameters'>;
}

/**
 * The checkpoint of step 0, to be saved before the training is assembled: the moments of the optimizer are zero. What its weights know of
 * their classes stays with them, by name.
 * @throws RectiflowError where the config would forget the weights, or is of another objective
 */
export function checkpointOfShared({ config, manifest, weights, model }: SharedStart): Checkpoint {
  const { kind } = manifest.config.flow.objective;
  if (config.ema.ramp)
    throw valueError('a shared model', 'ema.ramp', 'false: a ramp would forget its weights', true);
  if (config.flow.objective.kind !== kind)
    throw valueError(
      'a shared model',
      'flow.objective',
      `${kind}, which it learnt`,
      config.flow.objective.kind,
    );
  const classes = classesOf(config.model);
  const { classNames, record, tokenizer } = manifest.data;
  const data = {
    ...(classes > 0 && { classes }),
    ...(classNames && { classNames }),
    ...(record && { record }),
    ...(tokenizer && { tokenizer }),
    told: toldTo(config.model),
  };
  const imported = { file: `the shared model ${manifest.card.title}, step ${manifest.card.step}` };
  const state = { nullTrained: manifest.isGuidable, imported };
  return firstCheckpoint({ config, model, weights: { model: weights, ema: weights }, data, state });
}
