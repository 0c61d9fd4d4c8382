// The latents that kohya's sd-scripts (https://github.com/kohya-ss/sd-scripts) keep beside images: photo_0512x0768_sd.npz, whose
// name has width by height, or photo.npz of earlier versions. In each, as numpy.savez writes it:
//   latents, or latents_HxW      [C, H, W], one draw; of several sizes, where the name has them
//   latents_flipped, likewise    of the mirrored image, where there is one
//   original_size, crop_ltrb, alpha_mask, each with the same ending: not used
// and the caption in photo.txt or photo.caption.
import { unusedOf } from '../../data/told.ts';
import { decodeNpy } from '../../formats/npy-bytes.ts';
import type { StoredTensor } from '../../tensor/stored-tensor.ts';
import type { ImageShape } from '../../data/source.ts';
import { counted } from '../../tensor/counted.ts';
import { dataError, fileError, formatShape } from '../../tensor/errors.ts';
import { sameShape } from '../../tensor/shape.ts';
import { decodeText } from '../../tensor/text.ts';
import { toFloat32 } from '../../tensor/to-float32.ts';
import { lookedAt } from '../../data/fingerprint.ts';
import { Fingerprint } from '../fingerprint.ts';
import type { LatentItems } from './items.ts';
import type { Members } from './members.ts';
import { openMembers } from './members.ts';

const CAPTION_ENDINGS = ['.txt', '.caption'] as const;
/** The size in pixels and the model that stand behind the name of the image; hi is HunyuanImage. */
const ENDING = /(?:_\d{4}x\d{4})?(?:_(sd|sdxl|sd3|flux|lumina|hunyuan|hi))?\.npz$/;
/** Of Flux's autoencoder, whose latents are kept as the model sees them: (z - shift) scale, which is undone. */
const FLUX = { scale: 0.3611, shift: 0.1159 };
/** Models that have it. */
const WITH_FLUX: readonly (string | undefined)[] = ['flux', 'lumina'];
const mostRead = 1000;

/** Latents of one image, of one size. */
interface Item {
  /** Of the file. */
  readonly file: string;
  /** What stands behind the names of its arrays: `_64x48`, or nothing. */
  readonly ending: string;
  readonly shape: ImageShape;
  readonly isMirrored: boolean;
}

/**
 * @param size of the latents to take, where files have several
 * @throws RectiflowError naming the file that cannot be read; the sizes, where there are several
 */
export async function openKohya(
  path: string,
  members: Members,
  size?: readonly [height: number, width: number],
): Promise<LatentItems> {
  const files = members.names.filter((name) => name.endsWith('.npz'));
  const found: Item[] = [];
  const without: string[] = [];
  for (const file of files) {
    const items = await itemsOf(members.path(file), file);
    if (items.length === 0) without.push(file);
    found.push(...items);
  }
  const items = ofSize(path, found, size);
  const isMirrored = items.every((item) => item.isMirrored);
  const flipped = isMirrored ? [] : items.filter((item) => item.isMirrored).map(({ file }) => file);
  const captions = captionsOf(items, new Set(members.names));
  const used = new Set([...files, ...(captions.files ?? [])]);
  return {
    name: path,
    count: items.length,
    shape: items[0]!.shape,
    isMirrored,
    hasDeviations: false,
    async read(index, mirrored) {
      const { file, ending } = items[index]!;
      const name = `${mirrored ? 'latents_flipped' : 'latents'}${ending}`;
      const array = await readArray(members.path(file), name);
      const isFlux = WITH_FLUX.includes(ENDING.exec(file)?.[1]);
      const values = toFloat32(array);
      return { mean: isFlux ? values.map((value) => value / FLUX.scale + FLUX.shift) : values };
    },
    ...(captions.files && { caption: (index: number) => readCaption(members, captions.files![index]!) }),
    describe: (index) => members.path(items[index]!.file),
    async fingerprint() {
      const digest = new Fingerprint().texts(items.map(({ file, ending }) => `${file}${ending}`));
      for (const index of lookedAt(items.length, 4 * items[0]!.shape.reduce((a, b) => a * b), mostRead))
        digest.bytes(await members.read(items[index]!.file));
      if (captions.files) for (const file of captions.files) digest.texts([await readCaption(members, file)]);
      return digest.end();
    },
    told: { caption: 'text files beside the latents' },
    unused: [
      unusedOf('.npz file without latents', without),
      unusedOf(
        'file of latents of another size',
        found.filter((item) => !items.includes(item)).map(({ file, ending }) => `${file}${ending}`),
      ),
      unusedOf(
        'file with mirrored latents',
        flipped,
        'Only some files have mirrored latents: cache them anew, with flip_aug for all.',
      ),
      unusedOf('caption', captions.partly, 'Only some images have a caption: give one to each.'),
      unusedOf(
        'other file',
        members.names.filter((name) => !used.has(name) && !captions.partly.includes(name)),
      ),
    ].filter(({ count }) => count > 0),
    close: async () => {},
  };
}

async function itemsOf(path: string, file: string): Promise<Item[]> {
  const arrays = await openMembers(path);
  const names = arrays.names.map((name) => name.replace(/\.npy$/, ''));
  const endings = names.flatMap((name) => /^latents((?:_\d+x\d+)?)$/.exec(name)?.[1] ?? []);
  const items: Item[] = [];
  for (const ending of endings) {
    const { shape } = decodeNpy(await arrays.read(`latents${ending}.npy`), `${path}: latents${ending}`);
    if (shape.length !== 3 || shape.includes(0))
      throw fileError(
        path,
        `latents${ending} has shape ${formatShape(shape)}, wanted [C, H, W]`,
        'Cache it anew',
      );
    const isMirrored = names.includes(`latents_flipped${ending}`);
    items.push({ file, ending, shape: shape as unknown as ImageShape, isMirrored });
  }
  return items;
}

function ofSize(
  path: string,
  found: readonly Item[],
  size: readonly [height: number, width: number] | undefined,
): readonly Item[] {
  const sizes = new Map<string, number>();
  for (const { shape } of found) {
    const key = shape.slice(1).join('x');
    sizes.set(key, (sizes.get(key) ?? 0) + 1);
  }
  const listed = Array.from(sizes, ([key, count]) => `${key} (${count})`).join(', ');
  if (found.length === 0) throw dataError(path, 'holds no .npz files with latents', 'Check the path');
  const [largest] = Array.from(sizes).toSorted(([, a], [, b]) => b - a);
  const wanted = size?.join('x') ?? largest![0];
  if (size === undefined && sizes.size > 1) {
    const problem = `holds latents of ${counted(sizes.size, 'size')}, height x width: ${listed}`;
    const advice = `Set data.size to one of them, as in [${wanted.replace('x', ', ')}]; the others are left out`;
    throw dataError(path, problem, advice);
  }
  const items = found.filter(({ shape }) => shape.slice(1).join('x') === wanted);
  if (items.length === 0)
    throw dataError(
      path,
      `holds no latents of ${wanted}; there are ${listed}`,
      'Set data.size to one of these',
    );
  const odd = items.find(({ shape }) => !sameShape(shape, items[0]!.shape));
  if (odd === undefined) return items;
  const problem = `${odd.file} has latents ${formatShape(odd.shape)}, ${items[0]!.file} has ${formatShape(items[0]!.shape)}`;
  throw dataError(path, problem, 'Put latents of each autoencoder into a folder of their own');
}

/** The files of captions, of all items or of none, and those that are not used because some lack one. */
function captionsOf(
  items: readonly Item[],
  names: ReadonlySet<string>,
): { readonly files: readonly string[] | undefined; readonly partly: readonly string[] } {
  const found = items.map(({ file }) =>
    CAPTION_ENDINGS.map((ending) => file.replace(ENDING, ending)).find((name) => names.has(name)),
  );
  const files = found.filter((file) => file !== undefined);
  return files.length === items.length ? { files, partly: [] } : { files: undefined, partly: files };
}

async function readCaption(members: Members, file: string): Promise<string> {
  return decodeText(await members.read(file), members.path(file)).trim();
}

async function readArray(path: string, name: string): Promise<StoredTensor> {
  return decodeNpy(await (await openMembers(path)).read(`${name}.npy`), `${path}: ${name}`);
}
