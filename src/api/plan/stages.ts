// A run of stages: the plans of its stages, added up.
import { bytesTaken } from '../../train/memory-estimate.ts';
import type { RunConfig } from '../../config/config.ts';
import { configOfStage } from '../../config/stages.ts';
import { diskOf } from './disk.ts';
import type { RunPlan } from './result.ts';
import { workloadOf } from './workload.ts';

/** What one stage takes. */
export interface StagePlan {
  readonly imageSize: readonly [height: number, width: number];
  readonly patchSize: number;
  readonly plan: RunPlan;
}

/** The configs of the stages, each as a run of its own; none of a run without stages. */
export function stageConfigs(config: RunConfig): RunConfig[] {
  return config.stages.map(({ steps }, i) => {
    const stage = configOfStage(config, i);
    return { ...stage, stages: [], train: { ...stage.train, steps } };
  });
}

/**
 * What all stages take: times and operations of each, the memory of the one that takes most, the disk of the whole run. What tables
 * tell is that of the last stage, which is the largest.
 * @param config of the whole run
 */
export function sumStages(config: RunConfig, stages: readonly StagePlan[]): RunPlan {
  const plans = stages.map(({ plan }) => plan);
  const last = plans.at(-1)!;
  const sum = (of: (plan: RunPlan) => number): number => plans.reduce((total, plan) => total + of(plan), 0);
  const most = plans.reduce((a, b) =>
    bytesTaken(b.memory.estimate) > bytesTaken(a.memory.estimate) ? b : a,
  );
  const work = workloadOf(config, last.training.grids > 0);
  const { checkpoint } = plans.reduce((a, b) => (b.disk.checkpoint > a.disk.checkpoint ? b : a)).disk;
  const ofFiles = (of: 'samples' | 'metrics'): number => sum(({ disk }) => disk[of]);
  const disk = diskOf(config, work, {
    checkpoint,
    pictures: 0,
    line: 0,
    parameters: last.model.parameters,
    free: last.disk.free,
  });
  const [samples, metrics] = [ofFiles('samples'), ofFiles('metrics')];
  return {
    ...last,
    data: { ...last.data, epochs: sum(({ data }) => data.epochs) },
    training: { ...last.training, ...work },
    flops: { ...last.flops, total: sum(({ flops }) => flops.total) },
    memory: { ...most.memory, fits: plans.every(({ memory }) => memory.fits) },
    disk: {
      ...disk,
      samples,
      metrics,
      total: disk.total + samples + metrics,
      most: disk.most + samples + metrics,
    },
    time: {
      ...last.time,
      start: sum(({ time }) => time.start),
      steps: sum(({ time }) => time.steps),
      beside: sum(({ time }) => time.beside),
      total: sum(({ time }) => time.total),
    },
    machines: last.machines.map((machine, i) => ({
      ...machine,
      total: sum(({ machines }) => machines[i]!.total),
    })),
    assumptions: [...new Set(plans.flatMap(({ assumptions }) => assumptions))],
    stages,
  };
}
