// A run at other sizes of images and patches, and with other batches on several machines.
import type { Backend } from '../../backends/backend.ts';
import type { RunConfig } from '../../config/config.ts';
import { costOf } from '../../models/model.ts';
import { type OwnModel, createSampleModel } from '../../train/create-model.ts';
import { estimateMemory } from '../../train/memory-estimate.ts';
import type { OwnFlow } from '../../train/objective.ts';

/** What tables are made for. */
export interface Basis {
  /** Floating-point operations per second that training reaches. */
  readonly speed: number;
  /** Bytes per second from one machine to the next. */
  readonly link: number;
}

export interface SizePlan {
  readonly imageSize: number;
  readonly patchSize: number;
  readonly tokens: number;
  /** Of an optimizer step. */
  readonly flops: number;
  /** Bytes at the peak, with the samples at a time that the run has. */
  readonly memory: number;
  /** Seconds of a step, and of all of them. */
  readonly step: number;
  readonly total: number;
}

/** Sides of images and of patches. */
const sizes = [
  [64, 4],
  [128, 8],
  [256, 8],
  [512, 16],
] as const;

export interface SizeOptions extends Basis {
  readonly config: RunConfig;
  /** For its plans alone. */
  readonly backend: Backend;
  readonly own: OwnFlow & OwnModel;
  readonly microBatch: number;
}

/** Of models of images; empty for others. */
export function planSizes({ config, backend, own, microBatch, speed }: SizeOptions): SizePlan[] {
  const { model: settings, train } = config;
  if (!('patchSize' in settings)) return [];
  return sizes.map(([imageSize, patchSize]) => {
    const model = createSampleModel(
      { ...settings, patchSize, imageSize: [imageSize, imageSize] },
      undefined,
      own,
    );
    const { total } = estimateMemory({
      ...own,
      config,
      backend,
      model,
      source: { count: 0 },
      microBatch,
      savesBeside: false,
    });
    const cost = costOf(model);
    const again = train.memory === 'recompute' ? cost.forward : 0;
    const flops = (cost.training + again) * train.batchSize;
    const step = flops / speed;
    const tokens = (imageSize / patchSize) ** 2;
    return { imageSize, patchSize, tokens, flops, memory: total, step, total: step * train.steps };
  });
}

export interface RankPlan {
  /** Of a step, of all ranks. */
  readonly batchSize: number;
  /** Processes, each on a machine of its own, that share the samples of a step. */
  readonly ranks: number;
  /** Seconds of a step, and the part of it in which gradients are on their way. */
  readonly step: number;
  readonly communication: number;
  readonly samplesPerSecond: number;
  /** Seconds that as many samples take as the run has. */
  readonly total: number;
}

const [rankCounts, batchFactors] = [
  [1, 2, 4, 8],
  [1, 2, 4],
];

export interface RankOptions extends Pick<Basis, 'link'> {
  readonly batchSize: number;
  readonly steps: number;
  /** Seconds of a step with `batchSize` on one machine. */
  readonly step: number;
  readonly parameters: number;
}

/**
 * Data-parallel: each rank computes its samples, then gradients in float32 are added up around a ring, where each rank sends and
 * receives 2 (R - 1) / R times their bytes. Neither hides the other, and a rank with fewer samples is as fast for each of them.
 */
export function planRanks({ batchSize, steps, step, parameters, link }: RankOptions): RankPlan[] {
  return batchFactors.flatMap((factor) =>
    rankCounts
      .filter((ranks) => ranks <= factor * batchSize)
      .map((ranks) => {
        const samples = factor * batchSize;
        const communication = (((2 * (ranks - 1)) / ranks) * 4 * parameters) / link;
        const seconds = (step * factor) / ranks + communication;
        return {
          batchSize: samples,
          ranks,
          step: seconds,
          communication,
          samplesPerSecond: samples / seconds,
          total: (seconds * steps) / factor,
        };
      }),
  );
}
