// The samples of a run, in its folder: data/images.npy, data/labels.npy and data/captions.jsonl, as the source `array` of the command line
// reads them.
import { decodeNpy, npyHeader } from '../formats/npy-bytes.ts';
import { type ArrayOptions, arraySource } from '../data/arrays.ts';
import { FingerprintInMemory, addArray } from '../data/fingerprint.ts';
import { type Captions, type ImageShape, type Source, imageSize } from '../data/source.ts';
import { bytesOf } from '../formats/safetensors.ts';
import { fileError } from '../tensor/errors.ts';
import { decodeText } from '../tensor/text.ts';
import type { KeptFolder } from './folder.ts';

const IMAGES = 'data/images.npy';
const LABELS = 'data/labels.npy';
const CAPTIONS = 'data/captions.jsonl';

/** The settings of the data: an array in the folder of the run. */
export interface DataInRun {
  readonly source: 'array';
  readonly path: string;
  readonly inRun: true;
  readonly labels?: string;
  readonly captions?: string;
  readonly classNames?: readonly string[];
  readonly tensor: string;
  readonly latents: false;
  readonly scale: 1;
  readonly shift: 0;
}

/** Byte images, their labels and the names of the classes, their captions. */
export interface RunImages extends Pick<
  ArrayOptions,
  'shape' | 'labels' | 'classNames' | 'captions' | 'name'
> {
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
export function runData({
  images,
  shape,
  labels,
  classNames,
  captions,
  name = 'pictures',
}: RunImages): RunData {
  const told = {
    ...(labels && { labels }),
    ...(classNames && { classNames }),
    ...(captions && { captions }),
  };
  const source = arraySource({ images, shape, name, ...told });
  const all = [source.count, ...shape];
  const size = imageSize(shape);
  const files = new Map<string, readonly Uint8Array[]>([[IMAGES, [npyHeader('U8', all), images]]]);
  if (labels)
    files.set(LABELS, [npyHeader('I32', [source.count]), bytesOf(Int32Array.from(Array.from(labels)))]);
  if (captions) {
    const lines = captions.map((each) => `${JSON.stringify(each)}\n`).join('');
    files.set(CAPTIONS, [new TextEncoder().encode(lines)]);
  }
  return {
    settings: {
      source: 'array',
      path: IMAGES,
      inRun: true,
      ...(labels && { labels: LABELS }),
      ...(captions && { captions: CAPTIONS }),
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
        const { caption } = source;
        const looked = { dtype: 'U8', shape: all, sampleBytes: size, values, labels, classNames, caption };
        return (await addArray(new FingerprintInMemory(), looked)).end();
      },
    },
    files,
  };
}

/** The same, from the folder of a run. @throws RectiflowError where a file is missing or damaged */
export async function openRunData(
  folder: KeptFolder,
  { labels, captions, classNames }: DataInRun,
): Promise<RunData> {
  const bytesIn = async (file: string): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = await folder.read(file);
    if (bytes !== undefined) return bytes;
    throw fileError(`${folder.path}/${file}`, 'no such file', 'Begin a new run with the pictures');
  };
  const read = async (file: string): Promise<ReturnType<typeof decodeNpy>> =>
    decodeNpy(await bytesIn(file), `${folder.path}/${file}`);
  const { data, shape } = await read(IMAGES);
  return runData({
    images: data as Uint8Array,
    shape: shape.slice(1) as unknown as ImageShape,
    ...(labels !== undefined && { labels: (await read(LABELS)).data as Int32Array }),
    ...(captions !== undefined && {
      captions: captionsIn(await bytesIn(CAPTIONS), `${folder.path}/${CAPTIONS}`),
    }),
    ...(classNames && { classNames }),
  });
}

/** @param origin for errors @throws RectiflowError where a line holds none */
function captionsIn(bytes: Uint8Array, origin: string): Captions[] {
  const lines = decodeText(bytes, origin).trimEnd().split('\n');
  return lines.map((line, i) => {
    try {
      const captions = JSON.parse(line) as unknown;
      const all = [captions].flat();
      if (all.length > 0 && all.every((each) => typeof each === 'string')) return captions as Captions;
    } catch {
      // Told below.
    }
    throw fileError(origin, `line ${i + 1} holds no caption`, 'Begin a new run with the pictures');
  });
}
