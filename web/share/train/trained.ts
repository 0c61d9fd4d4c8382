// The averaged weights of a training in the tab, for what makes samples with them, and as a file.
import { version } from '../../../package.json';
import { encodeSafetensors } from '../../../src/formats/safetensors.ts';
import { negatedOutput } from '../../../src/interop/dit-weights.ts';
import { shareFormat, shareVersion } from '../../../src/share/manifest.ts';
import type { SharedFiles } from '../../../src/share/read.ts';
import { countParameters } from '../../../src/models/model.ts';
import { fileError } from '../../../src/tensor/errors.ts';
import type { StoredTensor, StoredTensors } from '../../../src/tensor/stored-tensor.ts';
import { conditioningOf } from '../../../src/train/conditioning.ts';
import { createModel } from '../../../src/train/create-model.ts';
import { learntIn } from '../../../src/train/data-record.ts';
import type { StoredCheckpoint } from '../../../src/train/run-store.ts';
import type { TabRun } from './tab-run.ts';

/** What a checkpoint is of. */
type TrainedOf = Pick<TabRun, 'config' | 'source'>;

async function averaged(saved: StoredCheckpoint): Promise<StoredTensors> {
  const part = await saved.open('ema');
  if (part === undefined) throw fileError(saved.path, 'has no averaged weights', 'Save it again');
  const tensors = new Map<string, StoredTensor>();
  for (const name of part.slots.keys()) tensors.set(name, await part.read(name));
  return tensors;
}

/** As a shared model is read by the page. */
export async function trainedModel(
  saved: StoredCheckpoint,
  { config, source }: TrainedOf,
): Promise<SharedFiles> {
  const tokenizer = learntIn(saved);
  const model = createModel(config.model, conditioningOf(config.model, tokenizer).text);
  const { step, state } = saved;
  const card = {
    title: 'A model of this tab',
    made: new Date().toISOString(),
    rectiflow: version,
    step,
    steps: config.train.steps,
    seconds: Number(state['seconds']),
    parameters: countParameters(model),
    average: 'ema',
    source: source.name,
    samples: source.count,
    difference: { format: 'float32', rms: 0, largest: 0, samples: 0, tolerance: 0 },
  } as const;
  return {
    manifest: {
      format: shareFormat,
      version: shareVersion,
      config,
      shape: model.sampleShape,
      data: {
        ...(source.classNames && { classNames: source.classNames }),
        ...(tokenizer && { tokenizer }),
      },
      isGuidable: model.conditions.length > 0 && config.flow.labelDropout > 0,
      weights: { parts: [], tensors: [] },
      card,
      files: [],
    },
    weights: await averaged(saved),
  };
}

/**
 * In safetensors, under the names of the public release of DiT: `rectiflow import` reads it. What came from SiT goes back to it as it was.
 */
export async function trainedFile(saved: StoredCheckpoint, { config, source }: TrainedOf): Promise<Blob> {
  const { classNames } = source;
  const isOfSit = 'reverseTime' in config.model && config.model.reverseTime;
  const isNoise = config.flow.objective.kind === 'ddpm';
  const weights = await averaged(saved);
  const metadata = {
    format: 'pt',
    convention: isNoise ? 'ddpm' : isOfSit ? 'sit' : 'rectiflow',
    model: JSON.stringify(config.model),
    data: JSON.stringify(classNames ? { classNames } : {}),
  };
  const bytes = encodeSafetensors(isOfSit && !isNoise ? negatedOutput(weights) : weights, metadata);
  return new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'application/octet-stream' });
}
