// A run at other sizes of images and patches, and with other batches on several machines.
import type { Backend } from '../../backends/backend.ts';
import type { RunConfig } from '../../config/config.ts';
import { costOf } from '../../models/model.ts';
import { type OwnModel, createSampleModel } from '../../train/create-model.ts';
import { bytesTaken, estimateMemory } from '../../train/memory-estimate.ts';
import type { OwnFlow } from '../../train/objective.ts';
import { type Layout, type StepWork, stepCost } from './ranks/cost.ts';

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

export interface SizeOptions {
  /** Floating-point operations per second that training reaches. */
  readonly speed: number;
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
    const estimate = estimateMemory({
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
    return {
      imageSize,
      patchSize,
      tokens,
      flops,
      memory: bytesTaken(estimate),
      step,
      total: step * train.steps,
    };
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

export interface RankOptions {
  readonly batchSize: number;
  readonly steps: number;
  /** Of a step with `batchSize` on one machine. */
  readonly work: StepWork;
  /** Of each of these machines. */
  readonly machine: Pick<Layout, 'cores' | 'copying' | 'link' | 'wire'>;
}

/** Each rank on a machine of its own, where a sample takes as long with fewer or more beside it. */
export function planRanks({ batchSize, steps, work, machine }: RankOptions): RankPlan[] {
  return batchFactors.flatMap((factor) =>
    rankCounts
      .filter((ranks) => ranks <= factor * batchSize)
      .map((ranks) => {
        const samples = factor * batchSize;
        const step = (work.step - work.update) * factor + work.update;
        const parts = work.parts * factor;
        const layout = { ...machine, ranks, perMachine: 1, threads: machine.cores };
        const { total: seconds, communication } = stepCost({ ...work, step, parts }, layout);
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
