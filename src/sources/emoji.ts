import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readRegular } from '../host/regular-file.ts';
import { fileError, systemProblem } from '../tensor/errors.ts';
import { exampleCaptions, type ImageItems, openImageSource } from './images/image-source.ts';
import type { PackageFile } from './packages/npm-tarball.ts';
import { type DataPackage, requirePackage } from './packages/package-cache.ts';
import type { EmojiData } from './settings.ts';
import type { Source } from '../data/source.ts';

/** What the package says of a picture; it says more. */
interface Emoji {
  /** Of Unicode, in capitals. */
  readonly name: string;
  readonly short_name: string;
  readonly category: string;
  readonly image: string;
  readonly has_img_twitter: boolean;
}

const INDEX = 'emoji.json';
const PICTURE = /^img\/twitter\/64\/([0-9a-f-]+\.png)$/;

export const emojiPackage: DataPackage = {
  set: 'emoji',
  name: 'emoji-datasource-twitter',
  version: '16.0.0',
  integrity:
    'sha512-7F+uCuHH+7Qnrc15P5tnbvKkg9E6tlzi4MnT2uW1RlN4pLYTza6cP/dstIfSDMtpjFLWuZewWg8jBbuL2eyELQ==',
  size: 61_683_754,
  *unpack(files: readonly PackageFile[]) {
    for (const { name, bytes } of files) {
      const picture = PICTURE.exec(name)?.[1];
      if (name === INDEX) yield { name, bytes };
      else if (picture !== undefined) yield { name: `64/${picture}`, bytes };
    }
  },
};

/**
 * Emoji as Twitter draws them, 64x64: the class is the category, the caption is the name. Skin tones are left out, both the
 * five swatches and the variants of people and hands: they would make up half of the set, with names that do not tell them apart.
 * @throws RectiflowError where the set was not fetched, or the settings do not fit
 */
export async function emojiSource(data: Omit<EmojiData, 'source'>): Promise<Source> {
  const folder = await requirePackage(emojiPackage);
  const listed = JSON.parse(await readFile(join(folder, INDEX), 'utf8')) as readonly Emoji[];
  const emoji = listed.filter((one) => one.has_img_twitter && one.category !== 'Component');
  const classNames = [...new Set(emoji.map(({ category }) => category))].toSorted();
  const classes = new Map(classNames.map((name, label) => [name, label]));
  const captions = emoji.map(emojiCaption);
  const items: ImageItems = {
    count: emoji.length,
    bytes: (index) => readPicture(join(folder, '64', emoji[index]!.image)),
    label: (index) => classes.get(emoji[index]!.category)!,
    caption: (index) => captions[index]!,
    key: (index) => emoji[index]!.image,
    describe: (index) => `emoji ${captions[index]} (${emoji[index]!.image})`,
  };
  return openImageSource({
    name: 'emoji',
    items,
    classNames,
    settings: data,
    condition: data.condition,
    examples: await exampleCaptions(items),
  });
}

/**
 * What to call a picture. Unicode's names, in lower case, save for words that speak of typography rather than of what is to be
 * seen (black is filled, white is outlined); where they do mean a colour or a sign, the short name has them too.
 */
export function emojiCaption({ name, short_name }: Pick<Emoji, 'name' | 'short_name'>): string {
  if (short_name === 'heart') return 'red heart';
  const meant = new Set(short_name.split(/[_-]/));
  const words = name.toLowerCase().split(' ');
  return words.filter((word) => !TYPOGRAPHY.has(word) || meant.has(word)).join(' ');
}

const TYPOGRAPHY: ReadonlySet<string> = new Set([
  'black',
  'white',
  'heavy',
  'negative',
  'squared',
  'symbol',
  'sign',
]);

async function readPicture(path: string): Promise<Uint8Array> {
  return readRegular(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), 'Fetch the set again: rectiflow data get emoji', error);
  });
}
