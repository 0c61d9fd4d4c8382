import type { Backend } from '../backends/backend.ts';
import type { SavedCheckpoint } from '../runs/checkpoint.ts';
import { classComposition } from '../sources/expression/record.ts';
import { findClasses } from '../data/find-classes.ts';
import { latentRecordOf } from '../data/latents.ts';
import type { Annotation, ImageShape, Placement } from '../data/source.ts';
import { type VelocityModel, checkShape } from '../models/model.ts';
import { counted } from '../tensor/counted.ts';
import { RectiflowError, formatShape, valueError } from '../tensor/errors.ts';
import { listSome } from '../data/list-some.ts';
import { nameOfShape } from '../data/sample-sizes.ts';
import { type Shape, sameShape, sizeOf } from '../tensor/shape.ts';
import type { RunConfig } from '../config/config.ts';
import type { DataRecord } from '../known/data-record.ts';
import { availableMemory } from '../host/machine-memory.ts';
import { mebibytes } from '../train/memory-estimate.ts';
import { describeCold } from '../train/monitor/cold-average.ts';
import { classesOf } from '../train/create-model.ts';
import { gridRows } from '../train/sample-grid.ts';
import { isNullTrained, pastOf } from '../known/trained-with.ts';
import { stateOf } from '../train/trainer-state.ts';
import { conditionsOf } from './asked-conditions.ts';
import { describeCut } from './cut-prompts.ts';
import { type DecoderOptions, withDecoder } from './decoder.ts';
import { type Provenance, provenanceOf } from './provenance.ts';
import { autoencoderOfData, keptAutoencoder } from './run-autoencoder.ts';
import { type RunModel, type RunModelChoice, openRunModel, withRunSampler } from './run-sampler.ts';
import { type AskedSampling, samplerSettings, usableGuidance } from './sampler-settings.ts';
import type { WeightsChoice } from './weights.ts';

/** What is left out is as the run's config says. */
export interface SampleRunOptions extends AskedSampling, WeightsChoice, Omit<RunModelChoice, 'onNotice'> {
  /**
   * The classes to sample; all rows of the run's grids by default. Not for a model without classes. A number is a label; a text is
   * read as `rectiflow sample --labels` reads it, a name before all else: '2' is the class that is called 2.
   */
  readonly labels?: readonly (number | string)[] | undefined;
  /** The captions to sample; all rows of the run's grids by default. Only for a model that takes captions. */
  readonly prompts?: readonly string[] | undefined;
  /**
   * Samples for each label or prompt, or in all for a model without; or a number for each of them. 8 by default. Of cells without
   * labels, which are of all classes: as many of each as there were to train on, 2,000 in all at most.
   */
  readonly count?: number | readonly number[] | undefined;
  /** Of images, [height, width], where it is to be another than the model was trained at; one number is a square. */
  readonly imageSize?: number | readonly [height: number, width: number] | undefined;
  /**
   * Of a model that is told sizes and crops (model.sizeConditioning), in place of what it is told by default: that an image was never
   * larger than it is made, and that nothing was cropped.
   */
  readonly placement?: Partial<Placement> | undefined;
  /** The same seed gives the same samples; 0 by default. */
  readonly seed?: number | undefined;
  /** Of a run on latents that has none: what makes pictures of them, as `readAutoencoder` takes it. */
  readonly autoencoder?: string | undefined;
  /** Whether latents become pictures, where an autoencoder is known; true by default. */
  readonly decode?: boolean | undefined;
  readonly backend?: Backend | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface Samples {
  /** [N, ...shape], row-major, those of one label or prompt together. Images are in about [-1, 1]. */
  readonly values: Float32Array;
  /** Of one sample: [C, H, W] for images, [G] for gene expression. */
  readonly shape: Shape;
  /** What latents are decoded to: [N, ...shape], of [C, H, W]. */
  readonly pictures?: { readonly values: Float32Array; readonly shape: ImageShape };
  /** The label or the caption of each sample, empty for a model without. */
  readonly annotations: readonly Annotation[];
  /** What the model knows of the data it was trained on: what classes are called, and what values mean. */
  readonly data: DataRecord;
  /** The checkpoint that they were made with. */
  readonly step: number;
  /** With what; files of samples keep it. */
  readonly made?: Provenance;
}

/**
 * Makes samples with the weights of a run, which may still be training.
 * @param run its folder
 * @throws RectiflowError when there is no such run or checkpoint, it is damaged, or an option does not fit the model
 */
export async function sample(run: string, options: SampleRunOptions = {}): Promise<Samples> {
  const opened = await openRunModel(run, options);
  const { config, data, model } = opened;
  const { rows, counts } = wantedSamples(config, options, data);
  const shape = wantedShape(model, data, options);
  const decoding = decodingOf(run, opened, shape, options);
  return withDecoder(config, decoding, async (decoder) => {
    const picture = decoder?.pictureShape(shape);
    checkRoom(counts, sizeOf(shape) + (picture ? sizeOf(picture) : 0));
    const samples = await latentsOrSamples(opened, options, { rows, counts, shape });
    if (!decoder || !picture) return samples;
    return {
      ...samples,
      pictures: { values: await decoder.decode(samples.values, shape, options.signal), shape: picture },
    };
  });
}

/** What of the run, or of the options, makes pictures of latents. */
function decodingOf(
  run: string,
  { saved, data, config }: RunModel,
  shape: Shape,
  { autoencoder, decode = true, backend, onNotice }: SampleRunOptions,
): DecoderOptions {
  const isLatent = latentRecordOf(data.record) !== undefined;
  if (autoencoder !== undefined && !isLatent)
    throw valueError('sample', 'autoencoder', 'left out: this model makes no latents', autoencoder);
  const known = autoencoder ?? keptAutoencoder(run) ?? autoencoderOfData(config.data);
  if (isLatent && decode && known === undefined)
    onNotice?.(
      `samples are latents, and nothing tells their autoencoder: give it as --autoencoder (autoencoder) to have pictures.`,
    );
  const facts = { shape, ...(data.record && { record: data.record }) };
  return { path: decode ? known : undefined, facts, of: saved.path, backend, onNotice };
}

async function latentsOrSamples(
  opened: RunModel,
  options: SampleRunOptions,
  { rows, counts, shape }: WantedSamples & { readonly shape: Shape },
): Promise<Samples> {
  const { seed = 0, signal, onProgress } = options;
  const { config, saved, data, conditioning, model } = opened;
  const annotations = rows.flatMap((row, i) => Array.from({ length: counts[i]! }, () => row));
  const count = counts.reduce((sum, of) => sum + of, 0);
  const told = conditionsOf(conditioning, annotations, { count, shape, placement: options.placement });
  const cut = conditioning.meter && describeCut(options.prompts ?? [], conditioning.meter);
  if (cut !== undefined) options.onNotice?.(cut);
  return withRunSampler(opened, options, async (sampler) => {
    const cold = coldAverageOf(saved, config, options);
    if (cold !== undefined) options.onNotice?.(cold);
    const guidance = usableGuidance(options, config, rows.length > 0, isNullTrained(saved, config));
    const settings = { ...samplerSettings(options, config.sample), guidance };
    const values = await sampler.sample({
      count,
      shape,
      ...settings,
      ...told,
      seed,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    });
    const made = provenanceOf(config, saved, { ...settings, ...sized(model, shape), ...told, seed }, options);
    return { values, shape, annotations, data, step: saved.step, made };
  });
}

/** Where the averaged weights that were not chosen, but are the default, are not worth much yet. */
function coldAverageOf(
  saved: SavedCheckpoint,
  { ema }: RunConfig,
  { weights = 'ema', emaLength }: SampleRunOptions,
): string | undefined {
  const { imported, begunFrom } = pastOf(saved);
  // What was imported, or taken from another run, is an average, or as good as one.
  const isAverage = imported !== undefined || begunFrom !== undefined;
  if (weights !== 'ema' || emaLength !== undefined || isAverage) return undefined;
  return describeCold(stateOf(saved).updates, ema);
}

/**
 * Of a sample: as the model is made for, or as it is asked for.
 * @throws RectiflowError where the model cannot make images of that size, or no images
 */
function wantedShape(
  model: VelocityModel,
  { shapes }: DataRecord,
  { imageSize, onNotice }: SampleRunOptions,
): Shape {
  const { sampleShape } = model;
  if (imageSize === undefined) return sampleShape;
  const [height, width] = typeof imageSize === 'number' ? [imageSize, imageSize] : imageSize;
  const [channels] = sampleShape;
  if (sampleShape.length !== 3) {
    const wanted = `left out: samples of this model are no images, but ${formatShape(sampleShape)}`;
    throw valueError('sample', 'imageSize', wanted, `${height}x${width}`);
  }
  const shape = [channels!, height, width];
  checkShape(model, shape, 'sample');
  const known = shapes ?? [sampleShape];
  if (!known.some((each) => sameShape(shape, each)))
    onNotice?.(
      `the model was trained at ${listSome(known.map(nameOfShape))}: at ${height}x${width} it makes what it has never seen, which may be worse.`,
    );
  return shape;
}

/** What tells samples of another size from those of the model's own. */
function sized({ sampleShape }: VelocityModel, shape: Shape): { readonly shape?: Shape } {
  return sameShape(shape, sampleShape) ? {} : { shape };
}

/** Samples are held in memory until all are made. */
function checkRoom(counts: readonly number[], numbers: number): void {
  const count = counts.reduce((sum, of) => sum + of, 0);
  const [needed, available] = [4 * count * numbers, availableMemory()];
  if (needed <= available) return;
  throw new RectiflowError(
    'memory',
    `sample: ${count} samples take ${mebibytes(needed)} of memory, and ${mebibytes(available)} are free. ` +
      'Make fewer at a time, with another seed each.',
  );
}

/** What the rows of samples are told, and how many there are of each; without rows one number, of all. */
interface WantedSamples {
  readonly rows: readonly Annotation[];
  readonly counts: readonly number[];
}

const defaultCount = 8;

function wantedSamples(config: RunConfig, options: SampleRunOptions, data: DataRecord): WantedSamples {
  const { labels, count } = options;
  const composition = labels === undefined ? classComposition(data.record) : undefined;
  const present = composition && [...composition.keys()].filter((label) => composition[label]! > 0);
  const areTold = classesOf(config.model) > 0;
  const rows = present && areTold ? present.map((label) => ({ label })) : wantedRows(config, options, data);
  const length = Math.max(1, rows.length);
  if (count === undefined && present) return { rows, counts: present.map((label) => composition[label]!) };
  if (typeof count !== 'object')
    return { rows, counts: new Array<number>(length).fill(count ?? defaultCount) };
  if (count.length === length) return { rows, counts: count };
  throw valueError(
    'sample',
    'count',
    `a number, or one for each of ${counted(length, 'label')}`,
    `${count.length} numbers`,
  );
}

/** The labels or prompts that are asked for, checked; those of the run's grids where none are. */
function wantedRows(config: RunConfig, options: SampleRunOptions, data: DataRecord): Annotation[] {
  const { labels, prompts, onNotice } = options;
  const classes = classesOf(config.model);
  if (prompts && config.model.kind !== 'text-dit')
    throw valueError('sample', 'prompts', 'left out: this model takes no captions', prompts.join(', '));
  if (labels && classes === 0)
    throw valueError('sample', 'labels', 'left out: this model has no classes', labels.join(', '));
  const known = { count: classes, names: data.classNames };
  return gridRows({
    labels: labels ? findClasses(labels, known, { where: 'sample', onNotice }) : config.sample.labels,
    prompts: prompts ?? config.sample.prompts,
  });
}
