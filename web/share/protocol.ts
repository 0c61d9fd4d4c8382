// What the page and the worker in which the model lives say to each other.
import type { AnySamplerName } from '../../src/flow/samplers.ts';
import type { ShownCells } from '../../src/share/cells.ts';
import type { ShareManifest } from '../../src/share/manifest.ts';
import type { SharedFiles } from '../../src/share/read.ts';
import type { DeviceName } from './device-names.ts';

/** Samples of a request at most: they are computed at once. */
export const mostSamples = 100;

/** What samples are to be made of, and how. */
export interface MakeRequest {
  readonly label: number | null;
  /** Of each sample, in place of `label`. */
  readonly labels?: readonly number[];
  readonly prompt: string | null;
  readonly count: number;
  readonly seed: number;
  readonly steps: number;
  readonly sampler: AnySamplerName;
  readonly guidance: number;
  /** Goes on from where samples are after so many steps: the numbers of all samples. */
  readonly from?: { readonly x: Float32Array; readonly done: number };
}

/** A sampler whose steps are counted. */
export interface SamplerFacts {
  readonly name: AnySamplerName;
  readonly evaluationsPerStep: number;
}

/** Where samples are at a time. */
export interface Frame {
  /** Steps done: 0 is the noise. */
  readonly index: number;
  /** From 1, noise, to 0, data. */
  readonly t: number;
  /** [count, ...shape of a sample] */
  readonly x: Float32Array;
  /** What it looks like, [count, C, H, W] in about [-1, 1]; null of samples that are no pictures. */
  readonly pictures: Float32Array | null;
}

export interface Ready {
  readonly manifest: ShareManifest;
  /** What computes, in words. */
  readonly device: string;
  /** Whether a program computes in place of a GPU. */
  readonly isSlow: boolean;
  readonly samplers: readonly SamplerFacts[];
  /** [C, H, W] of the picture of a sample. */
  readonly picture: readonly [number, number, number] | null;
  /** Real cells that were shared with a model of gene expression. */
  readonly cells: ShownCells | null;
  readonly defaults: { readonly steps: number; readonly sampler: AnySamplerName; readonly guidance: number };
}

export type ToWorker =
  /** A shared model that lies below an address, or one that is at hand; on the fastest device where none is named. */
  | { readonly kind: 'open'; readonly from: string | SharedFiles; readonly device: DeviceName | undefined }
  /** Goes over to another device; `ready` is said again. */
  | { readonly kind: 'use'; readonly device: DeviceName | undefined }
  | { readonly kind: 'make'; readonly id: number; readonly request: MakeRequest }
  | { readonly kind: 'stop'; readonly id: number };

export type FromWorker =
  | { readonly kind: 'loading'; readonly bytes: number; readonly total: number }
  | ({ readonly kind: 'ready' } & Ready)
  | { readonly kind: 'frame'; readonly id: number; readonly frame: Frame }
  /** Its device was lost: frames come once more, from the first. */
  | { readonly kind: 'again'; readonly id: number; readonly message: string }
  /** All frames were sent. */
  | { readonly kind: 'done'; readonly id: number; readonly seconds: number }
  /** Without an id the model could not be opened. */
  | { readonly kind: 'failed'; readonly id: number | null; readonly message: string };
