// What the monitor looks at, and what a part of it is.
import type { ValueRange } from '../../data/value-range.ts';
import type { EmaSettings } from '../../optim/ema.ts';
import type { OptimizerConfig, TrainConfig } from '../settings.ts';
import type { StepMetrics } from '../metrics.ts';

/** A logged step. What a run does not measure is absent. */
export interface Reading extends Pick<
  StepMetrics,
  'step' | 'loss' | 'learningRate' | 'gradNorm' | 'seconds' | 'dataWait' | 'epoch'
> {
  /** Of several ranks: the slowest, how many times as long as the others it computes, and how many seconds they do. */
  readonly slowestRank?: number | undefined;
  readonly slowdown?: number | undefined;
  readonly computing?: number | undefined;
  /** Of its samples, of data at several sizes, whose losses differ. */
  readonly size?: string | undefined;
  /** On samples that are not trained on, with their labels or captions. */
  readonly heldOutLoss?: number | undefined;
  /** Of samples that are trained on, with the same noise and times. */
  readonly trainedLoss?: number | undefined;
  /** Of the held-out samples, of which the model is told nothing. */
  readonly heldOutLossUnconditional?: number | undefined;
  /** The norm of the difference of averaged and raw weights, in proportion to the norm of the raw ones. */
  readonly emaDistance?: number | undefined;
  /** The norm of a step's change of the weights, in proportion to the norm of the weights. */
  readonly updateRatio?: number | undefined;
  /** Of the gradient, before clipping, by parts of the model. */
  readonly gradNormByBlock?: Readonly<Record<string, number>> | undefined;
}

/** What is known of a run beside its steps. */
export interface Facts {
  readonly config: WatchedConfig;
  /** Samples of the data set. */
  readonly samples: number;
  /** Whether the weights were trained before the first step that this process did: by this run, or by another. */
  readonly hasBegunTrained: boolean;
  /** Of the first batch that this process has learnt from. */
  readonly values: ValueRange | undefined;
  /** The machine of each rank, where there are several. */
  readonly hosts?: readonly string[] | undefined;
}

/** Those whose loss can be compared with the last one's: of samples of one size. */
export function ofOneSize(readings: readonly Reading[]): readonly Reading[] {
  const { size } = readings.at(-1)!;
  return size === undefined ? readings : readings.filter((reading) => reading.size === size);
}

export interface WatchedConfig {
  readonly ema: EmaSettings;
  readonly train: Pick<TrainConfig, 'steps' | 'sampleEvery'>;
  readonly optimizer: Pick<OptimizerConfig, 'warmupSteps' | 'clipNorm'>;
}

export type { ValueRange };

/**
 * Looks for one kind of trouble.
 * @param readings of this process, the last one last; never empty
 * @returns what it sees, why it thinks so, and what to try; undefined where all is well
 */
export type Detector = (readings: readonly Reading[], facts: Facts) => string | undefined;
