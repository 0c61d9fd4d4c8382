import { parseJsonText } from '../checkpoint/json.ts';
import { RectiflowError, fileError } from '../tensor/errors.ts';
import { didYouMean } from '../tensor/suggest.ts';
import { IMAGE_ENDINGS } from './images/formats.ts';
import { decodeText } from '../tensor/text.ts';
import { listSome } from './list-some.ts';
import { readTar } from './tar/read.ts';
import type { TarMember } from './tar/read.ts';

/** Where things are in one shard: about 50 bytes a sample beside its key. */
export interface ShardIndex {
  readonly path: string;
  readonly count: number;
  /** What the names of a sample's members have in common. */
  readonly keys: readonly string[];
  readonly imageOffsets: Float64Array;
  readonly imageSizes: Float64Array;
  /** -1: none. */
  readonly labels: Int32Array;
  readonly captionOffsets: Float64Array;
  readonly captionSizes: Float64Array;
  readonly captionForms: Uint8Array;
  /** What is wrong with the class or the caption of samples, by their place. */
  readonly faults: ReadonlyMap<number, RectiflowError>;
}

/** Where a caption stands. */
export const CAPTION = { none: 0, text: 1, json: 2 } as const;

export interface ShardOptions {
  /** Whether labels are wanted: those of others may be anything. */
  readonly labels: boolean;
  readonly captions: boolean;
  /** The label of each class that has a name. */
  readonly classes: ReadonlyMap<string, number> | undefined;
}

interface Sample {
  readonly key: string;
  image?: TarMember;
  label?: number;
  caption?: TarMember;
  captionForm: number;
  fault?: RectiflowError;
  /** A member that is of no use without an image. */
  annotation?: string;
}

const IMAGES: ReadonlySet<string> = new Set(IMAGE_ENDINGS);
/** Larger ones are no captions; it bounds what a hostile shard makes a reader allocate. */
const MOST_TEXT = 1 << 20;
const MOST_IMAGE = 1 << 30;

/**
 * Reads which samples a shard holds. Members belong together when their names are the same up to the first dot behind the
 * last slash; those with other endings, and hidden ones, are passed over.
 *
 * Classes (cls, json) are read here, since the number of classes has to be known before training; captions, of which a
 * million would fill memory, stay in the shard and are read with their image.
 * @throws RectiflowError naming the shard and the member
 */
export async function indexShard(path: string, options: ShardOptions): Promise<ShardIndex> {
  const samples = new Map<string, Sample>();
  const endings = new Set<string>();
  await readTar(path, async (member) => {
    const base = member.name.slice(member.name.lastIndexOf('/') + 1);
    const dot = base.indexOf('.');
    if (dot < 1) return;
    const ending = base.slice(dot + 1).toLowerCase();
    const key = member.name.slice(0, member.name.length - base.length + dot);
    const sample = samples.get(key) ?? { key, captionForm: CAPTION.none };
    if (await addMember(sample, member, ending, path, options)) samples.set(key, sample);
    else endings.add(ending);
  });
  const list = [...samples.values()];
  const bare = list.find(({ image }) => image === undefined);
  if (bare !== undefined) {
    throw fileError(
      path,
      `${bare.annotation} has no image beside it`,
      `Add ${bare.key}.png or .jpg, or leave it out`,
    );
  }
  if (list.length === 0) {
    const found = endings.size === 0 ? 'no members' : `only members ending in ${listSome(endings)}`;
    throw fileError(path, `holds no images: there are ${found}`, `Images end in ${[...IMAGES].join(', ')}`);
  }
  return tabulate(path, list);
}

/** @returns whether it is part of a sample */
async function addMember(
  sample: Sample,
  member: TarMember,
  ending: string,
  path: string,
  options: ShardOptions,
): Promise<boolean> {
  const fail = memberError(path, member.name);
  if (IMAGES.has(ending)) {
    if (sample.image !== undefined)
      throw fail(`is a second image of the sample ${sample.key}`, 'Keep one of them');
    if (member.size > MOST_IMAGE)
      throw fail(`has ${member.size} bytes, more than ${MOST_IMAGE}`, 'Leave it out');
    sample.image = member;
    return true;
  }
  if (ending !== 'cls' && ending !== 'txt' && ending !== 'json') return false;
  sample.annotation ??= member.name;
  try {
    await addAnnotation(sample, member, ending, path, options);
  } catch (error) {
    // Of one sample: whether that is left out is decided once it is known how many there are.
    if (!(error instanceof RectiflowError)) throw error;
    sample.fault ??= error;
  }
  return true;
}

/** Notes the class or the caption that a member holds. */
async function addAnnotation(
  sample: Sample,
  member: TarMember,
  ending: string,
  path: string,
  options: ShardOptions,
): Promise<void> {
  const fail = memberError(path, member.name);
  if (member.size > MOST_TEXT) throw fail(`has ${member.size} bytes, more than ${MOST_TEXT}`, 'Shorten it');
  if (ending === 'cls' && options.labels)
    sample.label = parseClass(decodeText(await member.content(), `${path}: ${member.name}`), fail);
  // A txt counts before a json, whichever comes first.
  if (ending === 'txt' && options.captions) [sample.caption, sample.captionForm] = [member, CAPTION.text];
  if (ending === 'json' && (options.labels || options.captions)) {
    const name = `${path}: ${member.name}`;
    const record = parseJsonText(decodeText(await member.content(), name), name, 'Write an object');
    const label = options.labels ? labelOf(record, options.classes, fail) : undefined;
    if (label !== undefined) sample.label ??= label;
    if (options.captions && captionOf(record, fail) !== undefined && sample.caption === undefined) {
      [sample.caption, sample.captionForm] = [member, CAPTION.json];
    }
  }
}

type Fail = (problem: string, advice: string) => RectiflowError;

export function memberError(shard: string, member: string): Fail {
  return (problem, advice) => fileError(`${shard}: ${member}`, problem, advice);
}

function parseClass(content: string, fail: Fail): number {
  const text = content.trim();
  const label = Number(text);
  if (/^\d+$/.test(text) && label < 2 ** 31) return label;
  const found = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
  throw fail(`is no class: ${found}`, 'Write the number of the class, from 0');
}

function labelOf(
  record: Record<string, unknown>,
  classes: ReadonlyMap<string, number> | undefined,
  fail: Fail,
): number | undefined {
  const label = record['label'] ?? record['class'];
  if (label === undefined || label === null) return undefined;
  if (typeof label === 'string') {
    const known = classes?.get(label);
    if (known !== undefined) return known;
    const where = 'classes.json beside the shards';
    throw classes === undefined
      ? fail(`has the class "${label}", and there is no ${where}`, 'List the names of the classes there')
      : fail(
          `has the class "${label}", which is not in ${where}`,
          `Add it there.${didYouMean(label, [...classes.keys()])}`,
        );
  }
  if (Number.isInteger(label) && (label as number) >= 0 && (label as number) < 2 ** 31)
    return label as number;
  throw fail(`has the class ${JSON.stringify(label)}`, 'Classes are whole numbers from 0, or names');
}

/** The caption in a json member, if there is one. */
export function captionOf(record: Record<string, unknown>, fail: Fail): string | undefined {
  const caption = record['caption'] ?? record['text'];
  if (caption === undefined || caption === null) return undefined;
  if (typeof caption === 'string') return caption;
  throw fail(`has the caption ${JSON.stringify(caption)}`, 'Captions are strings');
}

function tabulate(path: string, samples: readonly Sample[]): ShardIndex {
  const numbers = (of: (sample: Sample) => number): Float64Array => Float64Array.from(samples, of);
  return {
    path,
    count: samples.length,
    keys: samples.map(({ key }) => key),
    imageOffsets: numbers(({ image }) => image!.offset),
    imageSizes: numbers(({ image }) => image!.size),
    labels: Int32Array.from(samples, ({ label = -1 }) => label),
    captionOffsets: numbers(({ caption }) => caption?.offset ?? 0),
    captionSizes: numbers(({ caption }) => caption?.size ?? 0),
    captionForms: Uint8Array.from(samples, ({ captionForm }) => captionForm),
    faults: new Map(samples.flatMap(({ fault }, i) => (fault ? [[i, fault] as const] : []))),
  };
}
