// All pictures that are given, and files of captions beside them, read into memory in the form that a model takes.
import type { Captions } from '../../../src/data/source.ts';
import { type RunData, runData } from '../../../src/kept/data.ts';
import { RectiflowError } from '../../../src/tensor/errors.ts';
import { othersTurn } from '../../../src/tensor/turn.ts';
import { formatBytes } from '../../parts/format.ts';
import { type CaptionFile, holdsCaptions, readCaptions } from './caption-files.ts';
import { type CaptionedPicture, lostCaptions, usedFiles } from './captions.ts';
import { captionOfDrawn } from './draw-picture.ts';
import {
  type FoundPictures,
  type GivenPicture,
  NoPicture,
  type PictureForm,
  bytesOf,
  mostBytes,
} from './pictures.ts';
import { readPicture } from './read-picture.ts';

/** Pictures that are decoded at once. */
const atOnce = 4;

/** The class of pictures that lie in no folder, where others do. */
export const withoutFolder = 'without a folder';

/** Labels of pictures by the names of their classes; a model that is told none has none. */
export interface Labels {
  readonly classNames: readonly string[];
  /** Undefined where a class has no label. */
  labelOf(name: string): number | undefined;
}

/** @throws RectiflowError that lists the classes of pictures which have no label */
export function checkLabels(names: readonly string[], { labelOf }: Labels): void {
  const unknown = names.filter((name) => labelOf(name) === undefined);
  if (unknown.length === 0) return;
  const found = unknown.map((name) => (name === '' ? 'the pictures' : name)).join(', ');
  throw new RectiflowError('data', `no class of the model is chosen for ${found}: say which each of them is`);
}

type Read =
  | { readonly pixels: Uint8Array }
  | { readonly captions: CaptionFile }
  | { readonly reason: string };

export class PictureSet {
  #given: readonly GivenPicture[] = [];
  #read: Read[] = [];
  #form: PictureForm | undefined;
  /** Counts what was asked: what is read for an older wish is given up. */
  #wish = 0;

  /**
   * Reads all that is given: what was read in the same form before is not read again.
   * @param given those before, or more of them
   * @param onProgress how many of them are read
   * @returns undefined where another wish came
   * @throws RectiflowError where they would take too much memory
   */
  async read(
    given: readonly GivenPicture[],
    form: PictureForm,
    onProgress: (done: number, total: number) => void,
  ): Promise<FoundPictures | undefined> {
    const wish = ++this.#wish;
    const isSameForm = JSON.stringify(form) === JSON.stringify(this.#form);
    const known = isSameForm ? this.#given.findIndex(({ path }, i) => given[i]?.path !== path) : 0;
    this.#read = this.#read.slice(0, known < 0 ? this.#read.length : known);
    [this.#given, this.#form] = [given, form];
    checkRoom(given.filter(({ path }) => !holdsCaptions(path)).length, form);
    while (this.#read.length < given.length) {
      const next = given.slice(this.#read.length, this.#read.length + atOnce);
      const read = await Promise.all(next.map((picture) => readOne(picture, form)));
      await othersTurn();
      if (wish !== this.#wish) return undefined;
      this.#read.push(...read);
      onProgress(this.#read.length, given.length);
    }
    return this.#found();
  }

  #good(): { readonly given: GivenPicture; readonly name: string; readonly pixels: Uint8Array }[] {
    const isAnyInFolder = this.#given.some(({ folder }) => folder !== '');
    return this.#read.flatMap((read, i) => {
      const given = this.#given[i]!;
      const name = given.folder === '' && isAnyInFolder ? withoutFolder : given.folder;
      return 'pixels' in read ? [{ given, name, pixels: read.pixels }] : [];
    });
  }

  /** Those that can be learnt from, and what is known of their captions. */
  get captioned(): CaptionedPicture[] {
    return this.#good().map(({ given: { path, origin }, name }) => ({
      path,
      folder: name,
      ...('drawn' in origin && { own: captionOfDrawn(origin.drawn, origin.number, this.#form!) }),
    }));
  }

  /** What files say of them. */
  get captionFiles(): CaptionFile[] {
    return this.#read.flatMap((read) => ('captions' in read ? [read.captions] : []));
  }

  /** Names of classes, in the order of their labels. */
  get classes(): string[] {
    return [...new Set(this.#good().map(({ name }) => name))].toSorted();
  }

  get count(): number {
    return this.#good().length;
  }

  #found(): FoundPictures {
    const good = this.#good();
    const files = this.captionFiles;
    const paths = this.#given.map(({ path }) => path).filter((path) => !holdsCaptions(path));
    const counts = new Map(this.classes.map((name) => [name, 0]));
    for (const { name } of good) counts.set(name, counts.get(name)! + 1);
    return {
      form: this.#form!,
      classes: [...counts].map(([name, count]) => ({ name, count })),
      count: good.length,
      bytes: good.length * bytesOf(this.#form!),
      captionFiles: usedFiles(files, paths).length,
      problems: [
        ...this.#read.flatMap((read, i) =>
          'reason' in read ? [{ path: this.#given[i]!.path, reason: read.reason }] : [],
        ),
        ...lostCaptions(files, paths),
      ],
    };
  }

  /**
   * The pictures as data of a run. They are read by then.
   * @param labels none for a model without classes
   * @param captions of each picture, for a model that is told captions; those without one are left out
   * @throws RectiflowError where there are no pictures, or a class has no label
   */
  data(labels: Labels | undefined, captions?: readonly (Captions | undefined)[]): RunData {
    const good = this.#good().filter((_, i) => captions === undefined || captions[i] !== undefined);
    const form = this.#form;
    if (form === undefined || good.length === 0)
      throw new RectiflowError('data', 'there are no pictures to learn from: add some first');
    if (labels) checkLabels(this.classes, labels);
    const bytes = bytesOf(form);
    const images = new Uint8Array(good.length * bytes);
    good.forEach(({ pixels }, i) => images.set(pixels, i * bytes));
    return runData({
      images,
      shape: [form.channels, ...form.size],
      ...(labels && {
        labels: good.map(({ name }) => labels.labelOf(name)!),
        classNames: labels.classNames,
      }),
      ...(captions && { captions: captions.filter((each) => each !== undefined) }),
    });
  }
}

async function readOne(picture: GivenPicture, form: PictureForm): Promise<Read> {
  try {
    const { path, origin } = picture;
    if ('file' in origin && holdsCaptions(path)) return { captions: await readCaptions(origin.file, path) };
    return { pixels: await readPicture(picture, form) };
  } catch (error) {
    if (error instanceof NoPicture) return { reason: error.message };
    return { reason: `cannot be read: ${(error as Error).message}` };
  }
}

function checkRoom(count: number, form: PictureForm): void {
  const bytes = count * bytesOf(form);
  if (bytes <= mostBytes) return;
  const found = `${count} pictures take ${formatBytes(bytes)}`;
  const wanted = `a tab has room for ${formatBytes(mostBytes)}`;
  throw new RectiflowError('memory', `${found}, ${wanted}: make them smaller, or give fewer`);
}
