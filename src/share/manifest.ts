// What a shared model is, in one file that a page reads first: settings, weights, and the card that people read.
import type { Shape } from '../tensor/shape.ts';
import { fileError } from '../tensor/errors.ts';
import { shownJson } from '../tensor/shown-json.ts';
import type { AutoencoderConfig } from '../models/autoencoders/config.ts';
import type { LearntPairs } from '../tokenizers/byte-pairs.ts';
import type { TrainingConfig } from '../train/settings.ts';
import { type NumberFormat, numberFormats, storedBytes } from './numbers.ts';

/** The name of the file, and what it says it is. */
export const MANIFEST = 'manifest.json';
export const shareFormat = 'rectiflow-share';
export const shareVersion = 1;

export interface ShareManifest {
  readonly format: typeof shareFormat;
  readonly version: typeof shareVersion;
  /** What the run was trained with, without where anything lies on the machine that trained it. */
  readonly config: TrainingConfig;
  /** Of one sample. */
  readonly shape: Shape;
  readonly data: SharedData;
  /** Whether guidance has a meaning: the model was trained without its labels or captions, too. */
  readonly isGuidable: boolean;
  readonly weights: SharedWeights;
  /** What makes pictures of latents. */
  readonly autoencoder?: { readonly config: AutoencoderConfig; readonly weights: SharedWeights };
  /** Of models of gene expression, where the run's data were there and it was wanted. */
  readonly cells?: SharedCells;
  readonly card: Card;
  /** All that was written beside the manifest: what is in the folder and not here is somebody else's. */
  readonly files: readonly string[];
}

/** What of the data has a meaning for samples. */
export interface SharedData {
  readonly classNames?: readonly string[];
  /** `SourceFacts.record`: what values mean. */
  readonly record?: Readonly<Record<string, unknown>>;
  /** A tokenizer that was learnt from the captions. */
  readonly tokenizer?: LearntPairs;
}

/** Real cells in a plane, class by class, and the mean expression of each class: `ShownCells` is what becomes of them. */
export interface SharedCells {
  /** Of each class, how many cells are shown; one number where there are no classes. */
  readonly shown: readonly number[];
  /** The share of the variance along each of the plane's axes. */
  readonly explained: readonly number[];
  readonly tensors: SharedWeights;
}

/** Tensors one behind the other, in files that any web server takes. */
export interface SharedWeights {
  readonly parts: readonly { readonly file: string; readonly bytes: number; readonly sha256: string }[];
  readonly tensors: readonly SharedTensor[];
}

export interface SharedTensor {
  readonly name: string;
  readonly shape: Shape;
  readonly format: NumberFormat;
  /** In bytes, of all parts together. */
  readonly start: number;
}

/** For people. */
export interface Card {
  readonly title: string;
  /** ISO 8601. */
  readonly made: string;
  /** Of rectiflow. */
  readonly rectiflow: string;
  readonly step: number;
  readonly steps: number;
  /** Of training, in seconds. */
  readonly seconds: number;
  readonly parameters: number;
  /** Which weights: `ema`, the average, ... */
  readonly average: string;
  /** What it was trained on: the kind of source, and how many samples. */
  readonly source: string;
  readonly samples?: number;
  readonly loss?: number;
  readonly heldOutLoss?: number;
  readonly difference: Difference;
  /** Where the run began: its cores. */
  readonly machine?: string;
  /** What whoever shared it says of it. */
  readonly note?: string;
  /** Samples of it: a file, and how they were made. */
  readonly picture?: { readonly file: string; readonly text: string };
  /** The name of a file with what visitors may do with it. */
  readonly license?: string;
}

/** How far samples of the stored weights are from those of the float32 ones, of the same noise. */
export interface Difference {
  readonly format: NumberFormat;
  /** Root mean square and largest, both in proportion to the standard deviation of the samples' numbers. */
  readonly rms: number;
  readonly largest: number;
  /** How many samples were compared. */
  readonly samples: number;
  /** That the root mean square was to stay below. */
  readonly tolerance: number;
}

/**
 * Checks what a page is about to build upon.
 * @throws RectiflowError where it is no manifest, one of a later version, or its weights do not fill their files
 */
export function checkManifest(value: unknown, origin: string): ShareManifest {
  const wrong = (place: string, wanted: string, found: unknown): Error =>
    fileError(origin, `${place}: wanted ${wanted}, found ${shownJson(found)}`, advice);
  if (!isObject(value) || value['format'] !== shareFormat)
    throw wrong('format', shareFormat, isObject(value) ? value['format'] : value);
  if (value['version'] !== shareVersion)
    throw fileError(
      origin,
      `is of version ${shownJson(value['version'])}, this page reads version ${shareVersion}`,
      'Share the run again with this version of rectiflow',
    );
  for (const name of ['config', 'data', 'weights', 'card'])
    if (!isObject(value[name])) throw wrong(name, 'an object', value[name]);
  if (!isShape(value['shape'])) throw wrong('shape', 'a shape', value['shape']);
  const manifest = value as unknown as ShareManifest;
  checkWeights(manifest.weights, 'weights', wrong);
  if (manifest.autoencoder) checkWeights(manifest.autoencoder.weights, 'autoencoder.weights', wrong);
  if (manifest.cells) checkCells(manifest.cells, wrong);
  return manifest;
}

const advice = 'Share the run again, and upload the whole folder';

type Wrong = (place: string, wanted: string, found: unknown) => Error;

function checkWeights(weights: SharedWeights, place: string, wrong: Wrong): void {
  const { parts, tensors } = isObject(weights) ? weights : {};
  if (!Array.isArray(parts) || !Array.isArray(tensors)) throw wrong(place, 'parts and tensors', weights);
  let end = 0;
  for (const part of parts) {
    const isPart = isObject(part) && typeof part['file'] === 'string' && fileName.test(part['file']);
    if (!isPart) throw wrong(`${place}.parts`, 'the name of a file beside the manifest', part);
    end += Number(part['bytes']);
  }
  for (const tensor of tensors as readonly SharedTensor[]) {
    const isTensor =
      isObject(tensor) && isShape(tensor.shape) && numberFormats.includes(tensor.format as NumberFormat);
    if (!isTensor) throw wrong(`${place}.tensors`, 'name, shape and format', tensor);
    const last = tensor.start + storedBytes(tensor.shape, tensor.format);
    if (!(tensor.start >= 0 && last <= end))
      throw wrong(`${place}.tensors.${tensor.name}`, `at most ${end} bytes, those of all parts`, last);
  }
}

function checkCells({ shown, explained, tensors }: SharedCells, wrong: Wrong): void {
  const isCount = (count: unknown): boolean => Number.isSafeInteger(count) && Number(count) >= 0;
  if (!Array.isArray(shown) || !shown.every(isCount))
    throw wrong('cells.shown', 'a number of cells for each class', shown);
  if (!Array.isArray(explained) || ![1, 2].includes(explained.length))
    throw wrong('cells.explained', 'a share for one or two axes', explained);
  checkWeights(tensors, 'cells.tensors', wrong);
}

/** Files lie beside the manifest: no name leads elsewhere. */
const fileName = /^[\w-]+(?:\.[\w-]+)*$/;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isShape(value: unknown): value is Shape {
  return Array.isArray(value) && value.every((side) => Number.isSafeInteger(side) && side > 0);
}
