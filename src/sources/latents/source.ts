// Latents as a model sees them: drawn anew in each epoch, mirrored now and then, in the scale that stays with the weights.
import { checkLatentScale, describePerChannel, latentRecord, latentRecordOf } from '../../data/latents.ts';
import type { LatentScale } from '../../tensor/latent-scale.ts';
import { drawCaption } from '../../data/draw-caption.ts';
import { type Annotation, type Captions, type ReadKey, type Source } from '../../data/source.ts';
import { writeLatents } from '../../data/values.ts';
import { dataError } from '../../tensor/errors.ts';
import { philoxNormal, philoxUniform } from '../../tensor/philox.ts';
import { streams } from '../../tensor/random-streams.ts';
import type { Condition, LatentsData } from '../settings.ts';
import { spreadIndices } from '../../data/fingerprint.ts';
import { ChannelSums, standardized } from './channel-sums.ts';
import type { ChannelStatistics, Encoding, KnownAutoencoder, LatentItems } from './items.ts';

/** Encodings that statistics are measured on, where the set states none. */
const mostMeasured = 2000;

export interface LatentSourceOptions {
  readonly data: LatentsData;
  /** The one that `data.autoencoder` names. */
  readonly autoencoder?: KnownAutoencoder | undefined;
  /** What a model that goes on knows of its data: statistics are not measured anew. */
  readonly known?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * @throws RectiflowError where the set lacks what the settings ask for, nothing tells scale and shift, or the autoencoder that is
 * named is another than theirs
 */
export async function latentSource(items: LatentItems, options: LatentSourceOptions): Promise<Source> {
  const { name, count, shape, hasDeviations, isMirrored } = items;
  const { data } = options;
  const autoencoder = chooseAutoencoder(items, options.autoencoder);
  const scaling = await chooseScaling(items, options, autoencoder);
  checkLatentScale(scaling, shape[0], name);
  const flip = data.flip === 'auto' ? (items.flip ?? (isMirrored ? 0.5 : 0)) : data.flip;
  if (flip > 0 && !isMirrored) {
    const problem = `data.flip is ${flip}, and the mirrored images were not encoded`;
    throw dataError(
      name,
      problem,
      'Encode them with a horizontal-flip among data.transforms, or set data.flip to 0',
    );
  }
  const condition = chooseCondition(items, data.condition);
  const draws = data.draw && hasDeviations;
  const annotate = async (index: number, key: ReadKey): Promise<Annotation> => {
    if (condition === 'caption') return { caption: drawCaption(await items.caption!(index), key, index) };
    return condition === 'class' ? { label: items.labels![index]! } : {};
  };
  const by = condition === 'none' ? undefined : items.told?.[condition === 'class' ? 'label' : 'caption'];
  return {
    name,
    count,
    shape,
    ...(condition === 'class' && {
      classes: items.classes!,
      ...(items.classNames && { classNames: items.classNames }),
    }),
    ...(condition === 'caption' && {
      captions: true,
      examples: await examplesOf(items),
      caption: (index: number): Captions | Promise<Captions> => items.caption!(index),
      ...(items.severalCaptions && { severalCaptions: true }),
    }),
    record: { ...latentRecord(scaling, autoencoder?.fingerprint) },
    told: { ...(by !== undefined && { by }) },
    ...(items.unused && { unused: items.unused }),
    ...(items.remarks && { remarks: items.remarks }),
    async read(index, out, offset, key) {
      const mirrored = flip > 0 && drawUniform(key, index) < flip;
      const encoding = await items.read(index, mirrored);
      const values = draws ? drawLatent(encoding, key, index) : encoding.mean;
      writeLatents(values, scaling, out, offset, items.describe(index));
      return annotate(index, key);
    },
    describe: (index) => items.describe(index),
    fingerprint: () => items.fingerprint(),
    close: () => items.close(),
  };
}

/** Whether this image is mirrored in this epoch. */
function drawUniform({ seed, epoch }: ReadKey, index: number): number {
  const draw = { seed, stream: streams.transforms, step: epoch, firstSample: index, samples: 1, elements: 1 };
  return philoxUniform(draw)[0]!;
}

/** mean + deviation * noise, a function of seed, epoch and index. */
function drawLatent({ mean, deviation }: Encoding, { seed, epoch }: ReadKey, index: number): Float32Array {
  const elements = mean.length;
  const draw = { seed, stream: streams.posterior, step: epoch, firstSample: index, samples: 1, elements };
  const noise = philoxNormal(draw);
  return mean.map((value, i) => value + deviation![i]! * noise[i]!);
}

function chooseAutoencoder(
  { name, autoencoder: own }: LatentItems,
  named: KnownAutoencoder | undefined,
): KnownAutoencoder | undefined {
  if (own && named && own.fingerprint !== named.fingerprint) {
    const [wanted, found] = [own, named].map(({ fingerprint }) => fingerprint.slice(0, 12));
    const problem = `was encoded by the autoencoder ${wanted}, data.autoencoder ${named.path} is another, ${found}`;
    throw dataError(name, problem, 'Leave out data.autoencoder: the folder has its own');
  }
  return own ?? named;
}

async function chooseScaling(
  items: LatentItems,
  { data: { scaling }, known }: LatentSourceOptions,
  autoencoder: KnownAutoencoder | undefined,
): Promise<LatentScale> {
  if (typeof scaling === 'object') return { scale: scaling.scale, shift: scaling.shift };
  // What a layout of others states is what its models were trained with.
  const isStated = items.statistics !== undefined && items.autoencoder === undefined;
  const chosen = scaling === 'auto' ? (isStated ? 'statistics' : 'autoencoder') : scaling;
  if (chosen === 'statistics') {
    const record = latentRecordOf(known);
    if (record && scaling === 'statistics') return record;
    return standardized(items.statistics ?? (await measure(items)));
  }
  if (autoencoder) return autoencoder.scaling;
  const { mean, deviation } = await measure(items);
  const measured = `their channels have the means ${describePerChannel(mean)} and the deviations ${describePerChannel(deviation)}`;
  throw dataError(
    items.name,
    `nothing tells the scale and shift that a model sees these latents in; ${measured}`,
    'Set data.autoencoder to the folder of their autoencoder, data.scaling to statistics (mean 0 and deviation 1 in each channel), or to numbers, as in { scale: 0.18215, shift: 0 }',
  );
}

/** Of encodings from all over the set, a function of the set alone. */
async function measure({ count, shape, read }: LatentItems): Promise<ChannelStatistics> {
  const sums = new ChannelSums(shape[0]);
  for (const index of spreadIndices(count, mostMeasured)) sums.add(await read(index, false));
  return sums.statistics();
}

function chooseCondition(items: LatentItems, condition: Condition): Exclude<Condition, 'auto'> {
  const { name, labels, caption } = items;
  if (condition === 'auto') return caption ? 'caption' : labels ? 'class' : 'none';
  const isThere = condition === 'caption' ? caption : condition === 'class' ? labels : true;
  if (isThere) return condition;
  const what = condition === 'caption' ? 'captions' : 'labels';
  throw dataError(
    name,
    `the latents have no ${what}`,
    'Set data.condition to auto, or encode images that have some',
  );
}

const mostExamples = 16;

async function examplesOf({ count, caption }: LatentItems): Promise<string[]> {
  const captions = await Promise.all(spreadIndices(count, mostExamples).map((index) => caption!(index)));
  return captions.flatMap((each) => [each].flat().slice(0, 1));
}
