// What pairs are made for: labels and captions as often as the data have them.
import { drawCaption } from '../../data/draw-caption.ts';
import { SampleReader } from '../../data/sample-reader.ts';
import { epochOrder } from '../../data/sampler.ts';
import type { Annotation, Source } from '../../data/source.ts';
import { compareData } from '../../known/compare-data.ts';
import { dataOfRun } from '../../known/data-of-run.ts';
import { toldTo } from '../../known/data-record.ts';
import type { ToldPairs } from '../../sources/pairs/manifest.ts';
import { RectiflowError, runError } from '../../tensor/errors.ts';
import { streams } from '../../tensor/random-streams.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { splitOf } from '../../train/training-data.ts';
import { classesTold } from '../classes-told.ts';
import { type RunOptions, withSource } from '../parts.ts';
import type { RunModel } from '../run-sampler.ts';

export interface ToldOptions extends Pick<RunOptions, 'source' | 'signal' | 'onNotice' | 'acceptData'> {
  readonly told: ToldPairs;
  /** Pair i is told what follows from it and the data. */
  readonly seed: number;
}

/** What the pairs from `first` on are told. */
export type Tell = (first: number, count: number) => Promise<readonly Annotation[]>;

/**
 * What pairs of a run's model can be told.
 * @param asked data where it is left out, and the model is told anything
 * @throws RectiflowError where captions are to be as often as each other: there is no end of them
 */
export function toldPairs({ run, config }: RunModel, asked: 'data' | 'uniform' | undefined): ToldPairs {
  const told = toldTo(config.model);
  if (told === 'nothing') return told;
  if (asked !== 'uniform' || told === 'class') return asked ?? 'data';
  throw runError(
    run,
    'is told captions, which cannot be drawn evenly',
    'Take those of its data: --told data',
  );
}

/** Opens what tells the pairs, for as long as `use` takes. */
export async function withTold<T>(
  opened: RunModel,
  options: ToldOptions,
  use: (tell: Tell) => Promise<T>,
): Promise<T> {
  switch (options.told) {
    case 'nothing':
      return use(async (_, count) => Array.from({ length: count }, () => ({})));
    case 'uniform': {
      const classes = classesTold(opened);
      return use(async (first, count) =>
        Array.from({ length: count }, (_, i) => ({ label: (first + i) % classes })),
      );
    }
    case 'data':
      return withTrained(opened, options, (source) => use(tellAsData(source, opened, options)));
  }
}

/** The samples that the model was trained on, with labels as it knows them. */
async function withTrained<T>(
  { run, config, saved, data }: RunModel,
  options: ToldOptions,
  use: (source: Source) => Promise<T>,
): Promise<T> {
  const { onBadSample } = config.loader;
  let isOpen = false;
  try {
    return await withSource(
      dataOfRun(config, run),
      { ...options, onBadSample, known: saved },
      async (given) => {
        const { model } = config;
        const { captionEncoder } = data;
        const accept = options.acceptData;
        const compared = await compareData(given, { checkpoint: saved, model, captionEncoder, accept });
        for (const text of compared.notices) options.onNotice?.(text);
        isOpen = true;
        return use(splitOf(config, compared.source)?.trained ?? compared.source);
      },
    );
  } catch (error) {
    if (isOpen || !(error instanceof RectiflowError) || error.code === 'internal') throw error;
    const problem = `its model is told what its data are, which cannot be had: ${error.message}`;
    throw runError(run, problem, 'Bring them back; with classes, --told uniform does without', error);
  }
}

/** In each pass over the data every sample tells one pair, in an order of its own. */
function tellAsData(
  source: Source,
  { config, model }: RunModel,
  { seed, signal, onNotice }: ToldOptions,
): Tell {
  const { count } = source;
  const reader = new SampleReader(source, {
    ...config.loader,
    onBad: ({ message }) => onNotice?.(`skipped among what pairs are told: ${message}`),
  });
  const values = new Float32Array(sizeOf(model.sampleShape));
  let known: { epoch: number; order: Uint32Array } = { epoch: -1, order: new Uint32Array() };
  const place = (pair: number): { index: number; epoch: number } => {
    const epoch = Math.floor(pair / count);
    if (known.epoch !== epoch) known = { epoch, order: epochOrder(count, seed, epoch, streams.pairs) };
    return { index: known.order[pair % count]!, epoch };
  };
  const tellOne = async (pair: number): Promise<Annotation> => {
    const { index, epoch } = place(pair);
    const key = { seed, epoch };
    if (config.model.kind === 'text-dit' && source.caption)
      return { caption: drawCaption(await reader.caption(index), key, index) };
    const { label, caption } = await reader.read(index, values, 0, key);
    return config.model.kind === 'text-dit' ? { caption: caption! } : { label: label! };
  };
  return async (first, wanted) => {
    const annotations: Annotation[] = [];
    for (let i = 0; i < wanted; i++) {
      signal?.throwIfAborted();
      annotations.push(await tellOne(first + i));
    }
    return annotations;
  };
}
