// What the page and the worker that trains say to each other.
import type { SharedFiles } from '../../../src/share/read.ts';
import type { ShareManifest } from '../../../src/share/manifest.ts';
import type { StepMetrics } from '../../../src/train/metrics.ts';
import type { TrainingConfig } from '../../../src/train/settings.ts';
import type { FoundGpu } from '../device-choice.svelte.ts';
import type { DeviceName } from '../device-names.ts';
import type { RunSummary } from '../kept/kept-runs.ts';
import type { CaptionsReport } from './captions.ts';
import type { FoundPictures, GivenPicture, PictureForm } from './pictures.ts';
import type { SaveAnswer } from './patient-store.ts';
import type { TrainSettings } from './settings.ts';

/** The shared model of the page, and the address below which its files lie. */
export interface SharedOrigin {
  readonly manifest: ShareManifest;
  readonly base: string;
}

export type ToTrainer =
  | { readonly kind: 'read'; readonly given: readonly GivenPicture[]; readonly form: PictureForm }
  /** Settings are looked at by the core. */
  | { readonly kind: 'check'; readonly settings: TrainSettings; readonly shared: SharedOrigin | undefined }
  /** On the fastest device where none is named. */
  | {
      readonly kind: 'train';
      readonly settings: TrainSettings;
      readonly shared: SharedOrigin | undefined;
      readonly device: DeviceName | undefined;
    }
  | { readonly kind: 'pause' | 'goOn' | 'save' | 'stop' }
  /** Goes on to the last step after it was stopped, or after an error. */
  | { readonly kind: 'resume'; readonly device: DeviceName | undefined }
  /** What to do about a checkpoint that could not be saved: try once more, or train on without it. */
  | { readonly kind: SaveAnswer }
  /** The averaged weights of the last checkpoint: as a model to make samples with, or as a file; and the whole run as a zip. */
  | { readonly kind: 'take' | 'download' | 'zip' }
  /** Which runs are kept. */
  | { readonly kind: 'list' }
  | { readonly kind: 'open' | 'remove'; readonly name: string };

/** Runs that the browser keeps. */
export interface KeptList {
  readonly runs: readonly RunSummary[];
  /** Why they are lost with the tab; null where they are kept. */
  readonly lostBecause: string | null;
  /** Bytes that this origin has taken and may take. */
  readonly room: { readonly used: number; readonly most: number } | null;
  /** The one that this tab works on. */
  readonly current: string | null;
}

/** A run that is taken up again. */
export interface Opened {
  readonly config: TrainingConfig;
  readonly metrics: readonly StepMetrics[];
  readonly samples: readonly SampleFrame[];
  /** Of its last checkpoint; null where there is none. */
  readonly step: number | null;
}

/** A grid of samples of the averaged weights, as PNG. */
export interface SampleFrame {
  readonly step: number;
  readonly picture: Blob;
  readonly rows: readonly string[];
}

export interface Started {
  readonly config: TrainingConfig;
  readonly parameters: number;
  /** What computes, in words. */
  readonly device: string;
  readonly isSlow: boolean;
  /** Of pictures that are trained on, and what the model is told of them. */
  readonly samples: number;
  readonly told: string;
}

/** What would become of a training with such settings. */
export interface Checked {
  readonly parameters: number | null;
  readonly problem: string | null;
  /** Of a model that is told captions. */
  readonly captions: CaptionsReport | null;
}

export type FromTrainer =
  /** As soon as it is known; null where there is none. */
  | { readonly kind: 'gpu'; readonly gpu: FoundGpu | null }
  | { readonly kind: 'reading'; readonly done: number; readonly total: number }
  | { readonly kind: 'read'; readonly found: FoundPictures }
  /** Pictures could not be read as a whole. */
  | { readonly kind: 'unread'; readonly message: string }
  | ({ readonly kind: 'checked' } & Checked)
  | ({ readonly kind: 'started' } & Started)
  | { readonly kind: 'step'; readonly metrics: StepMetrics }
  | ({ readonly kind: 'samples' } & SampleFrame)
  | { readonly kind: 'notice'; readonly text: string }
  | { readonly kind: 'saved'; readonly step: number }
  /** A checkpoint could not be saved, and waits in memory for `saveAgain` or `doWithout`. */
  | { readonly kind: 'unsaved'; readonly step: number; readonly message: string }
  /** The device was lost, and is opened again. */
  | { readonly kind: 'lost'; readonly text: string }
  | { readonly kind: 'paused' | 'training' }
  /** Steps done, and whether they are all. */
  | { readonly kind: 'ended'; readonly step: number; readonly isFinished: boolean }
  | { readonly kind: 'failed'; readonly message: string }
  /** What was asked beside training cannot be had. */
  | { readonly kind: 'refused'; readonly message: string }
  | ({ readonly kind: 'list' } & KeptList)
  | ({ readonly kind: 'opened' } & Opened)
  | { readonly kind: 'taken'; readonly files: SharedFiles }
  | { readonly kind: 'file'; readonly name: string; readonly file: Blob };
