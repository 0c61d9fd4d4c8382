// What a run leaves on the disk.
import type { RunConfig } from '../../config/config.ts';
import type { Workload } from './workload.ts';

/** Bytes. */
export interface DiskPlan {
  /** Of one checkpoint. */
  readonly checkpoint: number;
  /** Checkpoints at the end, all of them. */
  readonly checkpoints: number;
  /** Stored power-function averages. */
  readonly averages: number;
  /** Pictures of samples, as large as those of noise: what is learnt makes them smaller. Events for TensorBoard hold them again. */
  readonly samples: number;
  /** metrics.jsonl, and its numbers as events. */
  readonly metrics: number;
  /** At the end. */
  readonly total: number;
  /** While a checkpoint is written, before an older one is removed. */
  readonly most: number;
  /** That the disk has. */
  readonly free: number;
  /** Checkpoints that are kept. */
  readonly kept: number;
}

/** What is known of the files of a run. */
export interface FileSizes {
  readonly checkpoint: number;
  /** Of the pictures of one grid. */
  readonly pictures: number;
  /** Of a line of metrics.jsonl. */
  readonly line: number;
  /** Of the model. */
  readonly parameters: number;
  readonly free: number;
}

/** Scalars of a step as events, in proportion to its line: measured on digits. */
const eventsPerLine = 1.3;
/** Stored averages are float16. */
const bytesOfAverage = 2;

export function diskOf(config: RunConfig, work: Workload, sizes: FileSizes): DiskPlan {
  const { checkpoint, pictures, line, parameters, free } = sizes;
  const checkpoints = work.kept * checkpoint;
  const averages = work.averages * config.ema.power.length * parameters * bytesOfAverage;
  const hasEvents = config.sinks.tensorboard;
  const samples = work.grids * pictures * (hasEvents ? 2 : 1);
  const metrics = work.logged * line * (1 + (hasEvents ? eventsPerLine : 0));
  const total = checkpoints + averages + samples + metrics;
  const isOneMore = work.checkpoints > work.kept ? checkpoint : 0;
  return {
    checkpoint,
    checkpoints,
    averages,
    samples,
    metrics,
    total,
    most: total + isOneMore,
    free,
    kept: work.kept,
  };
}
