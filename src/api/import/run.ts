// A run that starts with weights from elsewhere.
import { fromDiffusers, isDiffusers } from '../../interop/diffusers.ts';
import { sizesOf } from '../../interop/dit-weights.ts';
import { describeNonFinite } from '../../tensor/finite.ts';
import { type LazyTensors, type WeightsFile, openWeights } from '../../interop/weights-file.ts';
import { DiT } from '../../models/dit.ts';
import { RectiflowError, fileError } from '../../tensor/errors.ts';
import type { ConfigInput, RunConfig } from '../../config/config.ts';
import type { ImageModel } from '../../train/settings.ts';
import type { DataRecord } from '../../known/data-record.ts';
import { resolveConfig } from '../../config/resolve-config.ts';
import { runNameOf } from '../../config/run-name.ts';
import type { KnownData } from '../../known/known-data.ts';
import { beginFromWeights, settled } from '../begin-from-weights.ts';
import { withSource } from '../parts.ts';
import { recordFindings } from '../record-findings.ts';
import { convertWeights, describeConversion } from './convert.ts';
import { type DescribedModel, describeModel } from './describe.ts';
import { findNullLabel } from './facts.ts';
import { findData } from './known-data.ts';
import { latentScale, namedAutoencoder } from './latents.ts';
import type { ImportOptions } from './options.ts';

export interface ImportedRun {
  /** The run's folder. */
  readonly run: string;
  readonly model: ImageModel;
}

/**
 * Makes a run of the weights of a DiT, SiT or LightningDiT: PyTorch's .pt, .safetensors, or a folder of diffusers'
 * DiTTransformer2DModel. It can be sampled from at once, and resumed where `config` says on what data.
 * @param path of the file or folder
 * @throws RectiflowError when it cannot be read, its weights are not those of a DiT (with every name that is missing, unexpected
 * or of another shape), or neither it nor the options tell something that has to be known
 */
export async function importRun(path: string, options: ImportOptions = {}): Promise<ImportedRun> {
  const file = await openWeights(path);
  const { model: given, ema: averaged } = await chooseSets(file, options);
  const sizes = sizesOf(given, path);
  const autoencoder = await namedAutoencoder(sizes, path, options);
  const latents = await latentScale(sizes, options);
  const described = describeModel(path, sizes, file.facts, options);
  for (const text of describeConversion(given, sizes, described)) options.onNotice?.(text);
  const model = await convertWeights(given, path, sizes, described);
  const ema = averaged === given ? model : await convertWeights(averaged, path, sizes, described);
  const told: WhatFileTells = {
    data: findData(file.facts, sizes.classes, { ...options, latents }, autoencoder),
    nullTrained: findNullLabel(file.facts),
  };
  for (const weights of new Set([model, ema])) {
    const odd = await describeNonFinite(weights);
    if (odd !== undefined) throw fileError(path, odd, 'Give weights of an earlier step');
  }
  const config = await runConfig(path, described, told, options);
  await compareWithData(config, { path, step: 0, state: told }, options);
  const { data, nullTrained } = told;
  const past = { ...(nullTrained !== undefined && { nullTrained }), imported: { file: path } };
  const weights = { model, ema };
  const begun = { config, model: new DiT(described.model), weights, data, past, autoencoder };
  const run = await beginFromWeights(begun, options);
  return { run, model: described.model };
}

/** Under their public names. One set alone is both. */
async function chooseSets(
  { path, sets }: WeightsFile,
  { weights, onNotice }: ImportOptions,
): Promise<{ model: LazyTensors; ema: LazyTensors }> {
  const first = sets[weights ?? 'model'] ?? (weights ? undefined : sets.ema);
  if (first === undefined)
    throw fileError(
      path,
      `has no weights named ${weights}, only ${Object.keys(sets).join(' and ')}`,
      'Leave out --weights',
    );
  const model = await underPublicNames(first, path, onNotice);
  if (weights || !sets.ema || sets.ema === first) return { model, ema: model };
  return { model, ema: await underPublicNames(sets.ema, path, onNotice) };
}

async function underPublicNames(
  tensors: LazyTensors,
  path: string,
  onNotice: ImportOptions['onNotice'],
): Promise<LazyTensors> {
  if (!isDiffusers(tensors)) return tensors;
  onNotice?.(
    "diffusers' model embeds the time with slightly other frequencies, and the norm of its MLP adds 1e-5, not 1e-6: " +
      'outputs are not equal to the last digit',
  );
  return fromDiffusers(tensors, path);
}

async function runConfig(
  path: string,
  { model, convention }: DescribedModel,
  { nullTrained }: WhatFileTells,
  { config, name, objective, timeSampler }: ImportOptions,
): Promise<RunConfig> {
  const input: ConfigInput = {
    data: { source: 'custom' },
    ...config,
    name: name ?? runNameOf(path, 'imported'),
    model,
    flow: {
      objective: { kind: convention.objective },
      // For sampling alone: without it there is nothing to guide with.
      ...(nullTrained === false && !config && { labelDropout: 0 }),
      ...config?.flow,
    },
    // The average is there already: a ramp would forget it.
    ema: { ramp: false, ...config?.ema },
  };
  const resolved = resolveConfig(input, { origin: config ? 'config' : path });
  return settled(resolved, { objective, timeSampler });
}

/** What the data to train on are other in than those that the weights know: training would refuse it, or say so. */
async function compareWithData(
  config: RunConfig,
  known: KnownData,
  { onNotice }: ImportOptions,
): Promise<void> {
  const { data, loader } = config;
  // Nothing is fetched for the sake of a word.
  if (['custom', 'emoji', 'fashion'].includes(data.source)) return;
  try {
    await withSource(data, { ...loader, known }, async (source) => {
      for (const { text } of await recordFindings(source, config, known)) onNotice?.(text);
    });
  } catch (error) {
    if (!(error instanceof RectiflowError) || error.code === 'internal') throw error;
    onNotice?.(`the data to train on are not compared with what the weights know: ${error.message}`);
  }
}

/** Of the training that the weights are from. */
type WhatFileTells = {
  readonly data: DataRecord;
  readonly nullTrained: boolean | undefined;
};
