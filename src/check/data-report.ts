// What `rectiflow data check` tells of a set of samples.
import type { CaptionReport } from './caption-census.ts';
import type { LatentScale } from '../tensor/latent-scale.ts';
import type { Unused } from '../data/told.ts';

/** How often something occurs, by its name. */
export interface Tally {
  readonly name: string;
  readonly count: number;
}

export interface DataReport {
  readonly name: string;
  readonly count: number;
  readonly shape: readonly number[];
  /** What a model is told of the samples: `labels (12 classes, by folder)`. */
  readonly told: string;
  /** What was found beside the samples and is not used. */
  readonly unused: readonly Unused[];
  /** What is odd about the set as a whole, as sentences. */
  readonly remarks: readonly string[];
  /** By label; absent where samples have none. */
  readonly classes?: readonly Tally[];
  /** By the shorter side of the stored image, in powers of two; empty where samples are no image files. */
  readonly sizes: readonly Tally[];
  /** By width over height of the stored image. */
  readonly aspects: readonly Tally[];
  readonly formats: readonly Tally[];
  /** Of images that are read at several sizes: what becomes of them at each. */
  readonly readAt?: readonly SizeReport[];
  /** Images that are smaller than what the model sees, and so are blurred. */
  readonly enlarged: number;
  /** What is wrong with the first hundred, and how many there are. */
  readonly unreadable: { readonly count: number; readonly problems: readonly string[] };
  readonly duplicates: Duplicates;
  /** Of all values that the model sees; absent where nothing could be read. */
  readonly values?: {
    readonly least: number;
    readonly most: number;
    readonly mean: number;
    readonly deviation: number;
    /** Images that can be shown, whose values should lie in [-1, 1]. */
    readonly arePictures: boolean;
    /** All are what bytes stand for. */
    readonly areBytes: boolean;
  };
  /** Of pairs: the model that made the samples of noise, whose values are right as they are. */
  readonly pairedBy?: string;
  /** Of latents. */
  readonly latents?: LatentReport;
  /** With the longest five, and the mean length in characters; absent where samples have none. */
  readonly captions?: CaptionReport & { readonly longest: readonly Caption[]; readonly meanLength: number };
  /** Of gene expression. */
  readonly expression?: ExpressionReport;
  /** What to change, the most pressing first; empty where nothing is amiss. */
  readonly findings: readonly Finding[];
  /** The same as sentences alone. */
  readonly advice: readonly string[];
}

/** Images that are read at one of several sizes. */
export interface SizeReport {
  /** Height by width. */
  readonly name: string;
  readonly count: number;
  /** The share of an image's area that is cropped away, on average. */
  readonly cropped: number;
  /** Of buckets, where the batch is known: samples of a step, and steps of an epoch, the last of which may be filled up. */
  readonly batchSize?: number;
  readonly steps?: number;
}

/** Something to change about data. */
export interface Finding {
  readonly about: 'data' | 'values' | 'captions';
  /** warn: training works, but worse than it could; fail: it ends with an error, or learns nothing. */
  readonly status: 'warn' | 'fail';
  /** What was found and what to do, as sentences. */
  readonly text: string;
}

type Pairs = {
  readonly count: number;
  readonly pairs: readonly (readonly [copy: string, of: string])[];
};

/** The first hundred copies, each with the sample that it is a copy of, and how many there are. */
export interface Duplicates extends Pairs {
  /** Those of which a model is told something else than of the first: another class, another caption. */
  readonly conflicts: Pairs;
}

/** How a model sees latents: as (value - shift) * scale. */
export interface LatentReport extends LatentScale {
  /** The fingerprint of their autoencoder, where it is known. */
  readonly autoencoder?: string;
  /** Of the values of each channel that the model sees. */
  readonly channels: readonly { readonly mean: number; readonly deviation: number }[];
}

export interface ExpressionReport {
  readonly genes: number;
  /** The column of obs that the classes are from. */
  readonly label?: string;
  /** none: the values are those of the file, because they are log-transformed already or the config says so. */
  readonly normalize: 'log1p' | 'none';
  readonly target: number;
  /** Whether the file is known to hold whole numbers: those that are normalised. */
  readonly areCounts: boolean;
  /** The share of values that are zero in the file. */
  readonly zeros: number;
  /** Cells all of whose values are zero. */
  readonly emptyCells: number;
}

export interface Caption {
  readonly sample: string;
  readonly caption: string;
}
