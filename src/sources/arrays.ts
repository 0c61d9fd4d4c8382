import * as memory from '../data/arrays.ts';
import { type ImageShape, type Source, imageSize } from '../data/source.ts';
import { availableMemory } from '../host/machine-memory.ts';
import { dataError } from '../tensor/errors.ts';
import { lookedAt } from '../data/fingerprint.ts';
import { Fingerprint } from './fingerprint.ts';

/**
 * A source of images that are in memory.
 * @throws RectiflowError when the lengths disagree, a label is out of range, or a float is not finite or not in [-1, 1]
 */
export function arraySource(options: memory.ArrayOptions): Source {
  const { images, shape, labels, classNames, captions } = options;
  const source = memory.arraySource(options);
  const size = imageSize(shape);
  return {
    ...source,
    fingerprint() {
      const digest = new Fingerprint().texts([String(source.count), ...shape.map(String)]);
      for (const index of lookedAt(source.count, size * images.BYTES_PER_ELEMENT))
        digest.bytes(images.subarray(index * size, (index + 1) * size));
      if (labels) digest.labels(source.count, (index) => labels[index], classNames);
      if (captions) digest.texts(captions.map((each) => JSON.stringify(each)));
      return digest.end();
    },
  };
}

/** Byte images [N, C, H, W] with `border` pixels of black (-1 once read) on each side: [N, C, H + 2 border, W + 2 border]. */
export function padImages(images: Uint8Array, [, height, width]: ImageShape, border: number): Uint8Array {
  const planes = images.length / (height * width);
  const [tall, wide] = [height + 2 * border, width + 2 * border];
  const [bytes, available] = [planes * tall * wide, availableMemory()];
  if (bytes > available) {
    const found = `${tall} x ${wide} take ${bytes} bytes, and there are ${available} of memory`;
    throw dataError('data.pad', `${border} pixels on each side make images that at ${found}`, 'Pad less');
  }
  const padded = new Uint8Array(bytes);
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < height; row++) {
      const from = (plane * height + row) * width;
      padded.set(images.subarray(from, from + width), (plane * tall + row + border) * wide + border);
    }
  }
  return padded;
}
