// The settings of a run. Recipes, config files and --set only fill this in; defaults and checks are in resolve-config.ts.
import type { DataConfig, Side, Transform } from '../sources/settings.ts';
import type { KernelResize } from '../models/grow-patches.ts';
import type { KindName, ModelSettings } from '../models/kinds/index.ts';
import type { SinksConfig } from '../sinks/settings.ts';
import type { SampleConfig, TextConfig, TrainingConfig } from '../train/settings.ts';

/** All settings, resolved: what config.json holds. */
export interface RunConfig extends TrainingConfig {
  /** Of the run's folder. */
  readonly name: string;
  readonly data: DataConfig;
  readonly sinks: SinksConfig;
  readonly backend: BackendConfig;
  /** Parts of the run's steps, each at a size of its own, one after the other. None: all steps are at one size. */
  readonly stages: readonly StageConfig[];
  /** How the model of a stage becomes that of the next one. */
  readonly growth: GrowthConfig;
}

/** What a stage has of its own; all else is as in the rest of the config. */
export interface StageConfig {
  /** [height, width] of the images, to which the data are resized. None is smaller than the one before. */
  readonly imageSize: readonly [height: number, width: number];
  /** Side of a patch, in pixels. */
  readonly patchSize: number;
  readonly steps: number;
  /** Samples of an optimizer step, and how many of them are computed at a time. */
  readonly batchSize: number;
  readonly microBatch?: number | 'auto' | undefined;
  /** The peak of the schedule, which goes on over all stages. */
  readonly learningRate: number;
  /** Over which the learning rate rises, from the first step of the stage. */
  readonly warmupSteps: number;
}

export interface GrowthConfig {
  /** How kernels that read patches are resized: so that a resized patch makes the same token, or as pictures are. */
  readonly kernels: KernelResize;
  /** kept: the optimizer's moments are resized as gradients are; new: they begin with zero. */
  readonly moments: 'kept' | 'new';
}

export interface BackendConfig {
  readonly name: 'auto' | 'cpu' | 'webgpu' | 'reference';
  /** auto: one per physical core. Results do not depend on it. */
  readonly threads: number | 'auto';
  /** The CPU's instruction set; auto: the best that it has. */
  readonly isa: 'auto' | 'avx512-bf16' | 'avx512' | 'avx2' | 'portable';
  /** auto: a GPU's fastest ways to compute are found by timing them at a start; off: the usual ones are taken. */
  readonly tuning: 'auto' | 'off';
  /** Whether a GPU's products are made by subgroup matrices, an experiment of Dawn's. */
  readonly subgroupMatrices: boolean;
}

type Unresolved<T> = T extends readonly unknown[] | string | number | boolean
  ? T
  : { readonly [Key in keyof T]?: Unresolved<T[Key]> };

/** A form of something that comes in several, which one setting names; the others have defaults. */
type Form<T, Name extends keyof T> = T extends unknown ? Pick<T, Name> & Unresolved<Omit<T, Name>> : never;

type DataInput = DataConfig extends infer Data
  ? Data extends { source: string; transforms: unknown }
    ? Form<Omit<Data, 'transforms'> & { readonly source: Data['source'] }, 'source'> & {
        readonly transforms?: readonly Form<Transform, 'kind'>[];
        /** In place of transforms: as much of the middle of each image as fits a square of this many pixels. */
        readonly size?: Side;
      }
    : Form<Data, 'source' & keyof Data>
  : never;

/** Lengths in epochs, which become steps as soon as the number of samples is known. */
interface Epochs {
  readonly train: {
    /** In place of steps: how often each sample is seen, also as in 0.5. */
    readonly epochs?: number;
  };
  readonly optimizer: {
    /** In place of warmupSteps. */
    readonly warmupEpochs?: number;
  };
}

/** What a recipe, a config file or a program has to say; everything else has a default or follows from the data. */
export type ConfigInput = Unresolved<Omit<RunConfig, 'model' | 'data' | 'sample' | 'stages'> & Epochs> & {
  readonly stages?: readonly StageInput[];
  readonly sample?: Unresolved<Omit<SampleConfig, 'labels'>> & {
    /** Numbers are labels; texts are names of classes. */
    readonly labels?: readonly (number | string)[];
  };
  readonly data?: DataInput;
  readonly model?: ModelInput;
};

/** What is left out is as in the rest of the config; the last stage needs no steps where train.steps has those of all. */
export type StageInput = Partial<Omit<StageConfig, 'imageSize'>> & { readonly imageSize?: Side };

export type ModelInput = Partial<Omit<ModelSettings, 'imageSize' | 'text'>> & {
  readonly kind?: KindName;
  readonly text?: Partial<TextConfig>;
  /** `DiT-S/8`: in place of width, depth, heads and patchSize. */
  readonly preset?: string;
  /** One number for a square. */
  readonly imageSize?: number | readonly [height: number, width: number];
};
