// Runs, as a list and each for itself.
import type { Machine } from '../../kept/machine.ts';
import type { Json, Num } from './common.ts';
import type { LivePosition } from './live.ts';
import type { SteeringEvent } from './steering.ts';

/**
 * training: a process trains it. paused: one holds it, and waits. finished: all steps are done. stopped: no process trains it, and it can
 * be resumed. failed: the process that trained it ended without giving it back: it was killed, or the machine went down; it can be resumed
 * as well. damaged: what is in the folder cannot be read.
 */
export type RunState = 'training' | 'paused' | 'stopped' | 'finished' | 'failed' | 'damaged';

/** A run of the list. What is null is not known. Names and texts may hold anything: show them as text. */
export interface RunSummary {
  /** Of its folder. */
  readonly name: string;
  /** ISO 8601. */
  readonly created: string | null;
  readonly state: RunState;
  /** The state in words: of a damaged run, what is wrong with it. */
  readonly sentence: string;
  /** The last that was logged; 0 where none was. */
  readonly step: number;
  /** As many as the run is to do. */
  readonly steps: number | null;
  readonly epoch: number | null;
  readonly loss: Num | null;
  /** Of a run that trains: of training still to come, by its own pace. */
  readonly secondsLeft: number | null;
  /** Of training so far. */
  readonly seconds: number | null;
  readonly samplesPerSecond: number | null;
  /** When the log was written to last; ISO 8601. */
  readonly updated: string | null;
  /** The file of its last grid of samples. */
  readonly picture: string | null;
  /** Of its model: `dit`, `text-dit`, `expression-dit`, `autoencoder`, `custom`. */
  readonly kind: string | null;
  /** `digits`, `folder photos/` */
  readonly data: string | null;
}

export interface RunList {
  /** The folder of runs, as it was given. */
  readonly folder: string;
  /** The newest first. */
  readonly runs: readonly RunSummary[];
  /** Sentences about what is not shown. */
  readonly notes: readonly string[];
}

export interface Notice {
  /** The step logged last when it was said. */
  readonly step: number;
  readonly text: string;
}

/** A step whose loss or gradient was not finite; it changed nothing. */
export interface BadStepNote {
  readonly step: number;
  readonly loss: Num;
  readonly gradNorm: Num;
  readonly epoch: number;
  /** What was found first that is not finite. */
  readonly finding: string | null;
}

export interface CheckpointNote {
  readonly step: number;
  readonly bytes: number;
  /** What is wrong with it, a sentence, as far as the sizes of its files tell; null where nothing is. */
  readonly problem: string | null;
}

/** A picture of the folder of samples. */
export interface SampleFile {
  readonly step: number;
  /** grid: samples; path: how they come out of noise; sizes: samples of each size. */
  readonly kind: 'grid' | 'path' | 'sizes';
  readonly file: string;
}

/** Fields of the log that are drawn together. */
export interface FieldGroup {
  readonly title: string;
  readonly fields: readonly FieldInfo[];
}

export interface FieldInfo {
  /** As `SeriesQuery.fields` takes it: `loss`, `gradNormByBlock.blocks.0`, `lossByTime.2`. */
  readonly name: string;
  /** For people. */
  readonly label: string;
  /** Of its values: `s`, `bytes`, `samples/s`, `share` (0 to 1), or none. */
  readonly unit: string;
}

export interface RunDetails {
  readonly summary: RunSummary;
  /** Of rectiflow, when it was started; null where config.json cannot be read, as are the next two. */
  readonly version: string | null;
  readonly machine: Machine | null;
  /** As it was resolved. */
  readonly config: Json;
  /** Whether config.json is other than when the run began. */
  readonly isEdited: boolean;
  readonly groups: readonly FieldGroup[];
  /** The last of them, at most 1,000; the oldest first. */
  readonly notices: readonly Notice[];
  /** The last of them, at most 1,000. */
  readonly badSteps: readonly BadStepNote[];
  readonly checkpoints: readonly CheckpointNote[];
  /** Steps of stored averages, from which those of other lengths are made. */
  readonly averages: readonly number[];
  readonly samples: readonly SampleFile[];
  /** Of all its files, in bytes. */
  readonly disk: number;
  readonly steering: readonly SteeringEvent[];
  /** What is wrong with its files, a sentence each. */
  readonly damage: readonly string[];
  /** Where events begin that are not in here. */
  readonly live: LivePosition;
  /** What samples can be asked of it; null of runs whose model makes none. */
  readonly sampling: SamplingChoices | null;
}

/** What the form for samples offers. */
export interface SamplingChoices {
  /** 0 for a model without classes. */
  readonly classes: number;
  readonly classNames: readonly string[] | null;
  readonly takesPrompts: boolean;
  readonly samplers: readonly string[];
  /** Of the run's own grids. */
  readonly defaults: {
    readonly sampler: string;
    readonly steps: number;
    readonly guidance: number;
    readonly labels: readonly number[];
    readonly prompts: readonly string[];
  };
  /** Averages beside the main one, as `weights` names them: `ema:0.999`. */
  readonly averages: readonly string[];
  /** Whether averages of other lengths (`emaLength`) can be made. */
  readonly takesEmaLength: boolean;
  /** Checkpoints to sample from; none as long as none was saved. */
  readonly checkpoints: readonly number[];
}
