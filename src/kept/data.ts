// The samples of a run, in its folder: data/images.npy and data/labels.npy, as the source `array` of the command line reads them.
import { decodeNpy, npyHeader } from '../formats/npy-bytes.ts';
import { type ArrayOptions, arraySource } from '../data/arrays.ts';
import { FingerprintInMemory, addArray } from '../data/fingerprint.ts';
import { type ImageShape, type Source, imageSize } from '../data/source.ts';
import { bytesOf } from '../formats/safetensors.ts';
import { fileError } from '../tensor/errors.ts';
import type { KeptFolder } from './folder.ts';

const IMAGES = 'data/images.npy';
const LABELS = 'data/labels.npy';

/** The settings of the data: an array in the folder of the run. */
export interface DataInRun {
  readonly source: 'array';
  readonly path: string;
  readonly inRun: true;
  readonly labels?: string;
  readonly classNames?: readonly string[];
  readonly tensor: string;
  readonly latents: false;
  readonly scale: 1;
  readonly shift: 0;
}

/** Byte images, their labels and the names of the classes. */
export interface RunImages extends Pick<ArrayOptions, 'shape' | 'labels' | 'classNames' | 'name'> {
  /** [N, C, H, W], row-major: 0 (black) to 255. */
  readonly images: Uint8Array;
}

export interface RunData {
  /** For `keptConfig`. */
  readonly settings: DataInRun;
  /** To train on; with the fingerprint that the command line finds. */
  readonly source: Source;
  /** What the folder of the run has of them, by path. */
  readonly files: ReadonlyMap<string, readonly Uint8Array[]>;
}

/**
 * The samples of a run that has them with it, so that it goes on wherever its folder is.
 * @throws RectiflowError as `arraySource` does
 */
export function runData({ images, shape, labels, classNames, name = 'pictures' }: RunImages): RunData {
  const told = { ...(labels && { labels }), ...(classNames && { classNames }) };
  const source = arraySource({ images, shape, name, ...told });
  const all = [source.count, ...shape];
  const size = imageSize(shape);
  const files = new Map<string, readonly Uint8Array[]>([[IMAGES, [npyHeader('U8', all), images]]]);
  if (labels)
    files.set(LABELS, [npyHeader('I32', [source.count]), bytesOf(Int32Array.from(Array.from(labels)))]);
  return {
    settings: {
      source: 'array',
      path: IMAGES,
      inRun: true,
      ...(labels && { labels: LABELS }),
      tensor: 'samples',
      ...(classNames && { classNames }),
      latents: false,
      scale: 1,
      shift: 0,
    },
    source: {
      ...source,
      async fingerprint() {
        const values = (index: number): Uint8Array => images.subarray(index * size, (index + 1) * size);
        const looked = { dtype: 'U8', shape: all, sampleBytes: size, values, labels, classNames };
        return (await addArray(new FingerprintInMemory(), looked)).end();
      },
    },
    files,
  };
}

/** The same, from the folder of a run. @throws RectiflowError where a file is missing or damaged */
export async function openRunData(folder: KeptFolder, { labels, classNames }: DataInRun): Promise<RunData> {
  const read = async (file: string): Promise<ReturnType<typeof decodeNpy>> => {
    const [bytes, path] = [await folder.read(file), `${folder.path}/${file}`];
    if (bytes === undefined) throw fileError(path, 'no such file', 'Begin a new run with the pictures');
    return decodeNpy(bytes, path);
  };
  const { data, shape } = await read(IMAGES);
  const told = labels === undefined ? undefined : ((await read(LABELS)).data as Int32Array);
  return runData({
    images: data as Uint8Array,
    shape: shape.slice(1) as unknown as ImageShape,
    ...(told && { labels: told }),
    ...(classNames && { classNames }),
  });
}
