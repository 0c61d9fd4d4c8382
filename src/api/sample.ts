import type { Backend } from '../backends/backend.ts';
import type { SavedCheckpoint } from '../runs/checkpoint.ts';
import { latentRecordOf } from '../data/latents.ts';
import type { Placement } from '../data/source.ts';
import { type VelocityModel, checkShape } from '../models/model.ts';
import { formatShape, valueError } from '../tensor/errors.ts';
import { listSome } from '../data/list-some.ts';
import { nameOfShape } from '../data/sample-sizes.ts';
import type { SampleOptions } from '../flow/sample-request.ts';
import { type Shape, sameShape, sizeOf } from '../tensor/shape.ts';
import type { RunConfig } from '../config/config.ts';
import type { DataRecord } from '../known/data-record.ts';
import { describeCold } from '../train/monitor/cold-average.ts';
import { isNullTrained, pastOf } from '../known/trained-with.ts';
import { stateOf } from '../train/trainer-state.ts';
import { conditionsOf } from './asked-conditions.ts';
import { describeCut } from '../runner/samples/cut-prompts.ts';
import { type DecoderOptions, withDecoder } from './decoder.ts';
import { provenanceOf } from '../runner/samples/provenance.ts';
import { autoencoderOfData, keptAutoencoder } from './run-autoencoder.ts';
import { type RunModel, type RunModelChoice, openRunModel, withRunSampler } from './run-sampler.ts';
import { type AskedSampling, samplerSettings, usableGuidance } from '../runner/samples/sampler-settings.ts';
import type { Samples } from '../runner/samples/samples.ts';
import {
  type AskedRows,
  type WantedSamples,
  checkRoom,
  wantedSamples,
} from '../runner/samples/wanted-samples.ts';
import type { WeightsChoice } from './weights.ts';

/** What is left out is as the run's config says. */
export interface SampleRunOptions
  extends AskedSampling, AskedRows, WeightsChoice, Omit<RunModelChoice, 'onNotice'> {
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
export function decodingOf(
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

/** As the model sees them, with nothing decoded. */
export async function latentsOrSamples(
  opened: RunModel,
  options: SampleRunOptions & Pick<SampleOptions, 'onVelocity'>,
  { rows, counts, shape }: WantedSamples & { readonly shape: Shape },
): Promise<Samples> {
  const { seed = 0, signal, onProgress, onVelocity } = options;
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
      ...(onVelocity && { onVelocity }),
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
export function wantedShape(
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
