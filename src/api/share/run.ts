// A run as a folder of static files, with which whoever opens its page makes samples on their own device.
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Backend } from '../../backends/backend.ts';
import type { RunConfig } from '../../config/config.ts';
import { version } from '../../host/machine.ts';
import { packageFolder } from '../../host/package-folder.ts';
import { isNullTrained } from '../../known/trained-with.ts';
import { readMetrics } from '../../runs/metrics-log.ts';
import type { MetricsRecord } from '../../kept/metrics-lines.ts';
import {
  type Card,
  type Difference,
  type SharedData,
  type SharedWeights,
  shareFormat,
  shareVersion,
} from '../../share/manifest.ts';
import { type NumberFormat, numberFormats } from '../../share/numbers.ts';
import { countNumbers, packTensors } from '../../share/pack.ts';
import { readRun } from '../../runs/run-folder.ts';
import { counted } from '../../tensor/counted.ts';
import { fileError, runError, valueError } from '../../tensor/errors.ts';
import type { StoredTensors } from '../../tensor/stored-tensor.ts';
import { isBuiltIn } from '../../tokenizers/built-in.ts';
import { stateOf } from '../../train/trainer-state.ts';
import type { TrainingConfig } from '../../train/settings.ts';
import { latentRecordOf } from '../../data/latents.ts';
import { type ReadAutoencoder, readAutoencoder } from '../autoencoder.ts';
import { inFloat32, withBackend } from '../parts.ts';
import { autoencoderOfData, keptAutoencoder } from '../run-autoencoder.ts';
import { type RunModel, openRunModel } from '../run-sampler.ts';
import { type WeightsChoice, readWeights } from '../weights.ts';
import { type CardPicture, drawCardPicture } from './card-picture.ts';
import { cellsToShow } from './cells.ts';
import { chooseNumbers } from './choose-numbers.ts';
import { type NamedWeights, checkTarget, partsOf, readLicense, writeShare } from './folder.ts';
import { addToGallery, checkGallery } from './gallery.ts';

export interface ShareOptions extends WeightsChoice {
  /** The folder to make. */
  readonly to: string;
  /** Over the page; the run's name by default. */
  readonly title?: string | undefined;
  /** A sentence or two for the card. */
  readonly note?: string | undefined;
  /** A folder whose page shows the model, too, beside others that were shared into it. */
  readonly gallery?: string | undefined;
  /** A file with what visitors may do with the model; it becomes LICENSE.txt. */
  readonly license?: string | undefined;
  /** How weights are stored; `auto`, the default: in as few bytes as the tolerance allows. */
  readonly numbers?: NumberFormat | 'auto' | undefined;
  /** How far samples may be from those of the run's own weights: see `Difference`; 0.02 by default. */
  readonly tolerance?: number | undefined;
  /** Of models of gene expression: whether the page shows where real cells are, and means of their types; true by default. */
  readonly realCells?: boolean | undefined;
  /** Whether a shared model that is in the folder is replaced. */
  readonly force?: boolean | undefined;
  /** The step of a checkpoint; the last that is intact by default. */
  readonly checkpoint?: number | undefined;
  /** What measures the difference. */
  readonly backend?: Backend | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told what is done now. */
  readonly onProgress?: ((what: string) => void) | undefined;
  /** The folder of the built page, for tests of what is beside it. */
  readonly page?: string | undefined;
}

export interface SharedRun {
  readonly folder: string;
  readonly card: Card;
  /** Of weights. */
  readonly bytes: number;
  /** All files, relative to the folder. */
  readonly files: readonly string[];
  /** The page of the gallery. */
  readonly gallery?: string;
}

const defaultTolerance = 0.02;

/**
 * Writes a run's model and the page for it.
 * @param run its folder; it may still be training
 * @throws RectiflowError where the model is none that a page can run, or the folder holds something else
 */
export async function shareRun(run: string, options: ShareOptions): Promise<SharedRun> {
  const {
    to,
    license,
    numbers = 'auto',
    tolerance = defaultTolerance,
    realCells = true,
    onNotice,
    onProgress,
    signal,
  } = options;
  checkOptions(numbers, tolerance);
  const page = options.page ?? fileURLToPath(new URL('dist/page/share', packageFolder));
  if (!existsSync(join(page, 'index.html')))
    throw fileError(page, 'has no built page', 'Build the package: npm run build');
  await checkTarget(to, options.force ?? false);
  if (options.gallery !== undefined) await checkGallery(options.gallery, runName(run));
  const licenseText = license === undefined ? undefined : await readLicense(license);
  if (licenseText === undefined)
    onNotice?.(
      'nothing tells visitors what they may do with the model: give a file with --license (license)',
    );
  const opened = await openRunModel(run, options);
  checkShareable(run, opened.config);
  const { config, saved, data, model } = opened;
  const stored = await readWeights(run, saved, options);
  const weights: StoredTensors = new Map(model.parameters.map(({ name }) => [name, stored.get(name)!]));
  const difference = await withBackend(inFloat32(config.backend), options, (backend) =>
    chooseNumbers(opened, weights, backend, { numbers, tolerance, signal, onProgress }),
  );
  const autoencoder = await autoencoderOf(run, opened, onNotice);
  const cells = realCells ? await cellsToShow(opened, { signal, onNotice }) : undefined;
  onProgress?.('making samples for the card');
  const picture = await drawCardPicture(opened, options, cells);
  onProgress?.('writing');
  const files: NamedWeights[] = [
    { name: 'weights', packed: packTensors(weights, difference.format) },
    ...(autoencoder ? [{ name: 'autoencoder', packed: packTensors(autoencoder.weights, 'float16') }] : []),
    ...(cells ? [{ name: 'cells', packed: packTensors(cells.tensors, 'float32') }] : []),
  ];
  const parameters = countNumbers(weights);
  const card = await cardOf(run, opened, { options, difference, parameters, picture });
  const partsNamed = (name: string): SharedWeights => partsOf(files.find((each) => each.name === name)!);
  const manifest = {
    format: shareFormat,
    version: shareVersion,
    config: trainingOf(config),
    shape: model.sampleShape,
    data: sharedData(data),
    isGuidable: isNullTrained(saved, config) === true && model.conditions.length > 0,
    weights: partsNamed('weights'),
    ...(autoencoder && { autoencoder: { config: autoencoder.config, weights: partsNamed('autoencoder') } }),
    ...(cells && { cells: { shown: cells.shown, explained: cells.explained, tensors: partsNamed('cells') } }),
    card,
  } as const;
  const beside = {
    ...(licenseText && { [licenseFile]: licenseText }),
    ...(picture && { [picture.file]: picture.bytes }),
  };
  const written = await writeShare(to, { manifest, weights: files, beside, page });
  const bytes = files.reduce((sum, { packed }) => sum + packed.bytes.length, 0);
  const gallery =
    options.gallery && (await addToGallery(options.gallery, runName(run), { card, bytes, picture }));
  return { folder: to, card, bytes, files: written, ...(gallery && { gallery }) };
}

const runName = (run: string): string => basename(resolve(run));
const licenseFile = 'LICENSE.txt';

function checkOptions(numbers: string, tolerance: number): void {
  const known: readonly string[] = ['auto', ...numberFormats];
  if (!known.includes(numbers)) throw valueError('share', 'numbers', `one of ${known.join(', ')}`, numbers);
  if (!(tolerance > 0)) throw valueError('share', 'tolerance', 'a number above 0', tolerance);
}

/** @throws RectiflowError where the model needs what a page does not have */
function checkShareable(run: string, { model, flow }: RunConfig): void {
  if (model.kind === 'custom' || flow.objective.kind === 'custom') {
    const what = model.kind === 'custom' ? 'model' : 'objective';
    throw runError(
      run,
      `its ${what} is one of a program, which the page does not have`,
      'Write a page of your own with rectiflow/core',
    );
  }
  if (model.kind !== 'text-dit') return;
  const { embeddings, tokenizer } = model.text;
  if (embeddings !== undefined || !isBuiltIn(tokenizer)) {
    const what = embeddings === undefined ? 'a tokenizer' : 'embeddings';
    throw runError(
      run,
      `its captions are told by ${what} of a file, which the page cannot read`,
      'Train with model.text.tokenizer bytes or byte-pairs to share it',
    );
  }
}

async function autoencoderOf(
  run: string,
  { config, data }: RunModel,
  onNotice: ShareOptions['onNotice'],
): Promise<ReadAutoencoder | undefined> {
  if (latentRecordOf(data.record) === undefined) return undefined;
  const path = keptAutoencoder(run) ?? autoencoderOfData(config.data);
  if (path !== undefined) return readAutoencoder(path, { ...(onNotice && { onNotice }) });
  throw runError(
    run,
    'its samples are latents, and nothing tells their autoencoder',
    'Train with data.autoencoder to share it',
  );
}

/** Of the settings those that training and sampling read: where data and other files are is nobody else's business. */
function trainingOf({
  seed,
  loader,
  model,
  flow,
  optimizer,
  ema,
  train,
  heldOut,
  sample,
}: RunConfig): TrainingConfig {
  return { seed, loader, model, flow, optimizer, ema, train, heldOut, sample };
}

function sharedData({ classNames, record, tokenizer }: RunModel['data']): SharedData {
  return { ...(classNames && { classNames }), ...(record && { record }), ...(tokenizer && { tokenizer }) };
}

interface CardParts {
  readonly options: ShareOptions;
  readonly difference: Difference;
  readonly parameters: number;
  readonly picture: CardPicture | undefined;
}

async function cardOf(
  run: string,
  { config, saved, data }: RunModel,
  { options, difference, parameters, picture }: CardParts,
): Promise<Card> {
  const { machine } = await readRun(run);
  const { records } = await readMetrics(join(run, 'metrics.jsonl')).catch(() => ({ records: [] }));
  const past = records.filter(({ step }) => step <= saved.step);
  const { weights = 'ema', emaLength } = options;
  return {
    title: options.title ?? config.name,
    made: new Date().toISOString(),
    rectiflow: version,
    step: saved.step,
    steps: config.train.steps,
    seconds: stateOf(saved).seconds,
    parameters,
    average: emaLength === undefined ? weights : `average of length ${emaLength}`,
    source: config.data.source,
    ...(data.count !== undefined && { samples: data.count }),
    ...lastNumber(past, 'loss'),
    ...lastNumber(past, 'heldOutLoss'),
    difference,
    machine: `${counted(machine.cores, 'core')} of ${machine.cpu}`,
    ...(options.note !== undefined && { note: options.note }),
    ...(picture && { picture: { file: picture.file, text: picture.text } }),
    ...(options.license !== undefined && { license: licenseFile }),
  };
}

function lastNumber<N extends string>(records: readonly MetricsRecord[], name: N): { [name in N]?: number } {
  const value = records.findLast((record) => typeof record[name] === 'number')?.[name];
  return (typeof value === 'number' ? { [name]: value } : {}) as { [name in N]?: number };
}
