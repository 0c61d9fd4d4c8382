// What a run does that depends on what its model learns.
import type { Backend, Buffers, Disposable } from '../backends/backend.ts';
import type { HeldOutSplit } from '../data/hold-out.ts';
import type { Annotation, Source, SourceFacts } from '../data/source.ts';
import type { Program } from '../program/index.ts';
import type { SampleOrder } from '../steering/event.ts';
import type { HostArray } from '../tensor/dtype.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Communicator } from './ranks/communicator.ts';
import type { Conditioning } from './conditioning.ts';
import type { Exchange } from './ranks/exchange.ts';
import type { StepMetrics } from './metrics.ts';
import type { SampleGrid } from './sample-grid.ts';
import type { Task } from './task.ts';

/** All that a run asks of what it learns: `velocityRun`, `autoencoderRun`. The first input of its tasks is x0, the samples. */
export interface RunTask {
  /** What a step learns. */
  readonly step: Task;
  /** What a logged step tells of its samples. */
  readonly told: ToldOfSamples;
  readonly heldOut: HeldOutTask;
  readonly grid: GridTask;
  /** What the model is told of the samples of a set, for people. */
  describeTold(facts: SourceFacts): string;
}

/** Numbers of samples, as metrics. */
export interface ToldOfSamples {
  /** Which are read, of `TaskLoss.ofSamples`. */
  readonly names: readonly string[];
  /** @param values of all samples, by those names */
  metrics(values: Readonly<Record<string, ArrayLike<number>>>): Partial<StepMetrics>;
}

/** How samples are measured that are not trained on. */
export interface HeldOutTask {
  /** As that of a step, but for what is drawn: that is given, the same every time. */
  readonly task: Task;
  /** What is given of samples beside themselves and what their model is told of them. */
  given(samples: HeldOutSamples): Record<string, HostArray>;
  /** What so many samples are told of which nothing is told; absent where the model does not learn to do without. */
  readonly untold?: ((rows: number) => Record<string, HostArray>) | undefined;
  /** What beside their losses is told of them, with the averaged weights; nothing by default. */
  readonly quality?: ToldOfSamples | undefined;
}

export interface HeldOutSamples {
  /** The first of them, of `count` in all. */
  readonly first: number;
  readonly count: number;
  /** How many. */
  readonly rows: number;
  /** Of each of them. */
  readonly sampleShape: Shape;
  /** What is known of each of them. */
  readonly annotations: readonly Annotation[];
}

/** How pictures of samples are made, for people to see how far a run has come. */
export interface GridTask {
  /** The programs that make them, to plan their memory. @param shapes of the samples that are trained on */
  programs(shapes: readonly Shape[]): readonly Program[];
  /**
   * Of the numbers that a grid is made of, outside programs.
   * @param picture numbers of a picture, where samples are none and become such
   */
  bytes(picture?: number): number;
  open(run: GridRun): GridMaker;
}

/** As much of a training as its grids are made of. */
export interface GridRun {
  readonly backend: Backend;
  /** The training step's state. */
  readonly buffers: Buffers;
  readonly conditioning: Conditioning;
  /** The samples that are trained on. */
  readonly source: Source;
  readonly split: HeldOutSplit | undefined;
  /** Where other ranks make some of the samples. */
  readonly communicator?: Communicator | undefined;
  readonly exchange?: Exchange | undefined;
}

/** Disposing of it leaves the state as it is. */
export interface GridMaker extends Disposable {
  /** With the weights as they are now. All ranks call it, and have the grid then. */
  make(signal?: AbortSignal): Promise<SampleGrid>;
  /**
   * Of a model that makes samples out of noise: others than those of the grid, of the model's own shape, by the same samplers. All ranks
   * call it, and have them then.
   * @returns [N, ...shape]
   * @throws RectiflowError where they cannot be made
   */
  makeOrdered?(order: SampleOrder, signal?: AbortSignal): Promise<Float32Array>;
}
