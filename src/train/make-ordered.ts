// Samples that are asked for while a run trains, by the samplers that its grids have.
import type { Annotation, ImageShape } from '../data/source.ts';
import type { SamplerSettings } from '../flow/sample-request.ts';
import type { SampleOrder } from '../steering/event.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { Conditioning } from './conditioning.ts';
import { shareOut } from './ranks/share-out.ts';
import type { GridSamplers } from './sample-grid.ts';

/** What was made of an order. */
export interface OrderedSamples {
  readonly step: number;
  readonly order: SampleOrder;
  /** [N, ...shape] */
  readonly values: Float32Array;
  /** Of one sample. */
  readonly shape: Shape;
  /** Of latents: what they are decoded to. */
  readonly pictures?: { readonly values: Float32Array; readonly shape: ImageShape };
  /** What each sample was told; empty for a model without. */
  readonly annotations: readonly Annotation[];
}

/** What each of the samples is told; empty for a model that is told nothing. */
export function annotationsOf({ rows, counts }: Pick<SampleOrder, 'rows' | 'counts'>): Annotation[] {
  return rows.flatMap((row, i) => Array.from({ length: counts[i]! }, () => row as Annotation));
}

/** How an order says to go from noise to data. */
export function samplingOf(order: SampleOrder): SamplerSettings {
  const { rows: _, counts: __, weights: ___, seed: ____, ...settings } = order;
  return settings as SamplerSettings;
}

/**
 * Ranks share out the batches. Each is as large as one of the grids, and the last is filled up: what is compiled for them serves here too.
 * @param size samples of such a batch
 * @returns [count, ...shape], those that a sampler makes of the same options, to the bit
 */
export async function makeOrdered(
  { sampler, sets, communicator }: GridSamplers,
  size: number,
  shape: Shape,
  order: SampleOrder,
  conditioning: Conditioning,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const { weights, seed } = order;
  const annotations = annotationsOf(order);
  const count = order.counts.reduce((sum, each) => sum + each, 0);
  const elements = sizeOf(shape);
  const values = new Float32Array(count * elements);
  const startOf = (batch: number): number => Math.min(batch * size, count) * elements;
  const make = async (batch: number): Promise<void> => {
    const firstSample = batch * size;
    const told = Array.from({ length: size }, (_, i) => annotations[Math.min(firstSample + i, count - 1)]!);
    const made = await sampler(weights).sample({
      count: size,
      shape,
      ...samplingOf(order),
      ...(annotations.length > 0 && { conditions: conditioning.encode(told, shape) }),
      seed,
      firstSample,
      ...(signal && { signal }),
    });
    values.set(made.subarray(0, startOf(batch + 1) - startOf(batch)), startOf(batch));
  };
  await sets.with(weights === 'model' ? 'model' : 'ema', () =>
    shareOut(communicator, Math.ceil(count / size), [{ values, startOf }], make),
  );
  return values;
}
