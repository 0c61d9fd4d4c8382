// What training reads of a run's settings. `src/config` adds where the data are, sinks and the backend, and says what each may be.
import type { BadSamplePolicy } from '../data/bad-samples.ts';
import type { LossWeighting } from '../flow/loss-weighting.ts';
import type { NoiseSchedule } from '../flow/noise-schedule.ts';
import type { AnySamplerName } from '../flow/samplers.ts';
import type { ModelConfig } from '../models/kinds/index.ts';
import type { TimeDistribution, TimeSampler } from '../flow/time-sampling.ts';
import type { DecayedParameters } from '../optim/adamw.ts';
import type { LossScaling } from '../optim/loss-scaler.ts';
import type { LearningRateSchedule } from '../optim/schedule.ts';
import type { ActivationMemory } from '../program/index.ts';

export type { CustomModel } from '../models/kinds/custom.ts';
export type { ImageModel } from '../models/kinds/dit.ts';
export type { ExpressionModel } from '../models/kinds/expression-dit.ts';
export type { ModelConfig } from '../models/kinds/index.ts';
export type { TextModel, TextSettings as TextConfig } from '../models/kinds/text-dit.ts';

/** All that training asks, resolved. */
export interface TrainingConfig {
  /** In [0, 2^53). Weights, order of the data, noise and times are functions of it. */
  readonly seed: number;
  readonly loader: LoaderConfig;
  readonly model: ModelConfig;
  readonly flow: FlowConfig;
  readonly optimizer: OptimizerConfig;
  readonly ema: EmaConfig;
  readonly train: TrainConfig;
  readonly heldOut: HeldOutConfig;
  readonly sample: SampleConfig;
}

/** How data are read. Results depend on the last alone. */
export interface LoaderConfig {
  /** Samples that are read and decoded at a time. */
  readonly workers: number;
  /** Batches that are held ready. */
  readonly prefetch: number;
  /** Memory for decoded images: a set that fits into it is decoded once, unless a transform is random. 0: none. */
  readonly cacheMiB: number;
  /** fail: a sample that cannot be read ends the run; skip: it is named and counted, up to a twentieth of them. */
  readonly onBadSample: BadSamplePolicy;
}

export interface FlowConfig {
  readonly objective: ObjectiveConfig;
  /** custom: a `TimeSampler` of the program that trains. DDPM cuts the times to its timesteps. */
  readonly timeSampling: Settings<TimeDistribution>;
  /** Of rectified flow: how much samples count by their times. The loss that is logged is without. */
  readonly lossWeighting: LossWeighting;
  /**
   * Which noise a sample is mixed with (Liu et al. 2022, section 2.1): independent, drawn anew for it in each step; pairs, that which it
   * was made of, which the data tell.
   */
  readonly coupling: 'independent' | 'pairs';
  /** The share of samples that are trained without their label or caption. Guidance needs it; 0 for an unconditional model. */
  readonly labelDropout: number;
}

/** What the model learns: a velocity, the noise, or what an `Objective` of the program that trains says. */
export type ObjectiveConfig =
  | { readonly kind: 'rectified-flow' }
  | ({ readonly kind: 'ddpm' } & NoiseSchedule)
  | { readonly kind: 'custom' };

/** What of a form can be written down. */
type Settings<T> = T extends unknown ? Omit<T, keyof TimeSampler> : never;

export interface OptimizerConfig {
  /** The peak of the schedule. */
  readonly learningRate: number;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  /** Decoupled (AdamW). */
  readonly weightDecay: number;
  /** What it makes smaller: all parameters, or all but biases. */
  readonly decayed: DecayedParameters;
  /** By default a tenth of the steps, 100 at most. */
  readonly warmupSteps: number;
  /** Of the learning rate, from the end of the warm-up to the last step. */
  readonly decay: LearningRateSchedule['kind'];
  /** Where it ends, as a fraction of the peak. */
  readonly floor: number;
  /** The global norm that gradients are clipped to. 0: no clipping. */
  readonly clipNorm: number;
}

export interface EmaConfig {
  readonly decay: number;
  /** Begin with a small decay, so that early samples are not noise. */
  readonly ramp: boolean;
  /** Decays of further averages. */
  readonly decays: readonly number[];
  /** Lengths of power-function averages, each a share of the training so far, from which averages of other lengths are made. */
  readonly power: readonly number[];
  /** Steps between the stored copies of those. 0: none. */
  readonly snapshotEvery: number;
}

/** All counts are optimizer steps; 0 for one that says how often means never. */
export interface TrainConfig {
  readonly steps: number;
  /** Samples of an optimizer step. */
  readonly batchSize: number;
  /**
   * Of data at several sizes, how many samples of another size than the model's own make a step: as many (samples, the default), or as
   * many as have about as many tokens.
   */
  readonly batchBy?: 'samples' | 'tokens' | undefined;
  /**
   * A power of two that divides the batch: gradients are those of so many parts of it, added up over a binary tree, whatever computes
   * them. 1 by default. They are other bits than those of another number.
   */
  readonly shards?: number | undefined;
  /**
   * What gradients travel as between ranks; fp32 by default. bf16 halves what is sent, and rounds: numbers then depend on how many ranks
   * there are.
   */
  readonly wire?: 'fp32' | 'bf16' | undefined;
  /**
   * Samples that are computed at a time; the gradients of a step are accumulated over as many as it takes. By default all of a step.
   * auto: as many as fit into the memory, chosen and recorded when the run begins.
   */
  readonly microBatch?: number | 'auto' | undefined;
  /**
   * What training may take, for microBatch auto and for the copy that checkpoints are written from. auto: most of what is free.
   * On a GPU with memory of its own it is of that memory; auto: whatever it takes, as nobody tells how much there is.
   */
  readonly memoryMiB: number | 'auto';
  readonly badSteps: BadStepsConfig;
  /** Of fp16. */
  readonly lossScaling: LossScaling;
  readonly logEvery: number;
  readonly sampleEvery: number;
  /** A checkpoint is written at the end of a run in any case. */
  readonly checkpointEvery: number;
  /** How many of the newest stay. */
  readonly keepCheckpoints: number;
  /** Those of steps that are multiples of this stay for good. */
  readonly keepEvery: number;
  readonly precision: 'auto' | 'fp32' | 'bf16' | 'fp16';
  /**
   * What blocks make for the backward pass. recompute: it is made again instead of kept, which takes far less memory and about a
   * third more time; results are the same to the bit.
   */
  readonly memory: ActivationMemory;
}

/** What becomes of steps whose loss or gradient is not a finite number. None of them changes anything. */
export interface BadStepsConfig {
  /** So many of them among the last `window` steps, and training goes back to the last checkpoint, without the data since. */
  readonly rollBackAfter: number;
  readonly window: number;
  /** After going back so often, training stops with a report. */
  readonly stopAfter: number;
}

/** Samples that are not trained on: their loss tells what is learnt from what is learnt by heart. */
export interface HeldOutConfig {
  /** How many; half of the set at most. 0, the default: none. */
  readonly count: number;
  /** Steps from one evaluation to the next; the last step has one in any case. */
  readonly every: number;
}

/** How samples are made, during training and by default afterwards. */
export interface SampleConfig {
  /** One of the objective's. */
  readonly sampler: AnySamplerName;
  /** dopri5 makes as many as it needs. */
  readonly steps: number;
  /** Above 1: more of the steps are near noise. 1: they are equal. */
  readonly timeShift: number;
  /** Of dopri5: the error of a step that is tolerated, in proportion to the values and beside that. */
  readonly rtol: number;
  readonly atol: number;
  /** Of euler-maruyama: how much noise is added on the way; 0: none. */
  readonly diffusion: number;
  /** Of ddim: how much noise is added on the way, from 0 (none) to 1 (as ancestral does). */
  readonly eta: number;
  /** Of ddim and ancestral: what is foreseen of the data is kept within [-clip, clip]. 0: it is not. By default 1 for pictures. */
  readonly clip: number;
  /** Scale of classifier-free guidance; 1: none. */
  readonly guidance: number;
  /** The times, of which 1 is noise, between which there is guidance. */
  readonly guidanceInterval: readonly [low: number, high: number];
  /** The rows of the grid; by default the first ten classes. Empty for a model without classes. */
  readonly labels: readonly number[];
  /** The rows of the grid of a model that takes captions; by default some of the data's. */
  readonly prompts: readonly string[];
  /** Of the noise that the grids of a run are made of; by default the run's. */
  readonly seed?: number | undefined;
  /** The columns of the grid. Without labels and prompts the grid has as many rows. */
  readonly perClass: number;
  /** The weights that make the grids during training: the average, those of the step, or the two side by side. */
  readonly gridWeights: 'both' | 'ema' | 'model';
}
