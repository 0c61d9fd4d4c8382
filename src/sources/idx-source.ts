import { dataError, formatShape } from '../tensor/errors.ts';
import { arraySource, padImages } from './arrays.ts';
import type { BadSamplePolicy } from '../data/bad-samples.ts';
import { readIdx } from '../formats/idx.ts';
import type { IdxArray } from '../formats/idx.ts';
import type { IdxData } from './settings.ts';
import type { ImageShape, Source } from '../data/source.ts';

/**
 * Opens images in the IDX format of MNIST, [N, H, W] (grey) or [N, H, W, 3], of bytes, and their labels [N]. They are held in
 * memory.
 * @param onBadSample skip: a few samples may have labels that are out of range
 * @throws RectiflowError naming the file, or the sample whose label is out of range
 */
export async function openIdx(data: IdxData, onBadSample: BadSamplePolicy = 'fail'): Promise<Source> {
  const { images: path, labels: labelPath, classNames, pad } = data;
  const stored = await readIdx(path);
  const images = imagesOf(stored, path);
  const labels = labelPath === undefined ? undefined : labelsOf(await readIdx(labelPath), labelPath);
  const [channels, height, width] = images.shape;
  return arraySource({
    name: path,
    onBadSample,
    images: pad === 0 ? images.data : padImages(images.data, images.shape, pad),
    shape: [channels, height + 2 * pad, width + 2 * pad],
    ...(labels === undefined ? {} : { labels, told: { by: labelPath! } }),
    ...(classNames === undefined ? {} : { classNames }),
  });
}

function imagesOf({ shape, data }: IdxArray, path: string): { shape: ImageShape; data: Uint8Array } {
  const [, height, width, channels = 1] = shape;
  const isImages = shape.length === 3 || (shape.length === 4 && channels === 3);
  if (!isImages || height === 0 || width === 0 || !(data instanceof Uint8Array)) {
    const found = data instanceof Uint8Array ? 'bytes' : 'values other than bytes';
    const problem = `holds ${found} ${formatShape(shape)}, images are bytes [N, H, W] or [N, H, W, 3]`;
    throw dataError(path, problem, 'Check data.images: labels belong in data.labels');
  }
  if (channels === 1) return { shape: [1, height!, width!], data };
  return { shape: [3, height!, width!], data: planes(data, height! * width!) };
}

/** [N, H, W, 3] to [N, 3, H, W]. */
function planes(data: Uint8Array, size: number): Uint8Array {
  const planar = new Uint8Array(data.length);
  for (let start = 0; start < data.length; start += 3 * size) {
    for (let i = 0; i < size; i++) {
      for (let channel = 0; channel < 3; channel++) {
        planar[start + channel * size + i] = data[start + 3 * i + channel]!;
      }
    }
  }
  return planar;
}

function labelsOf({ shape, data }: IdxArray, path: string): ArrayLike<number> {
  if (shape.length === 1) return data;
  throw dataError(path, `has shape ${formatShape(shape)}, labels are [N]`, 'Check data.labels');
}
