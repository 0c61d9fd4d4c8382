import { parseJsonText } from '../formats/json.ts';
import { RectiflowError, fileError } from '../tensor/errors.ts';
import { decodeText } from '../tensor/text.ts';
import { type AnnotationColumns, findValue } from './annotation-columns.ts';
import { IMAGE_ENDINGS, MOST_IMAGE_BYTES } from './images/formats.ts';
import { unreadFormatOf } from './images/unread-formats.ts';
import { type BadSamplePolicy, isHopeless } from '../data/bad-samples.ts';
import { listSome } from '../data/list-some.ts';
import { captionsOf, memberError, parseClass, toLabel } from './shard-annotations.ts';
import type { ShardSurvey } from './shard-survey.ts';
import { readTar } from '../formats/tar/read.ts';
import type { TarMember } from '../formats/tar/read.ts';

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
  readonly onBadSample: BadSamplePolicy;
  /** The label of each class that has a name. */
  readonly classes: ReadonlyMap<string, number> | undefined;
  /** The keys of json members that hold them. */
  readonly columns: AnnotationColumns;
  /** Endings of text members that hold captions, without a dot, the first that a sample has. */
  readonly captionEndings: readonly string[];
  /** Hears of all that is found. */
  readonly survey: ShardSurvey;
}

interface Sample {
  readonly key: string;
  image?: TarMember;
  label?: number;
  caption?: TarMember;
  captionForm: number;
  /** Of its ending among those of captions. */
  captionRank?: number;
  fault?: RectiflowError;
  /** A member that is of no use without an image. */
  annotation?: string;
}

const IMAGES: ReadonlySet<string> = new Set(IMAGE_ENDINGS);
/** Larger ones are no captions; it bounds what a hostile shard makes a reader allocate. */
const MOST_TEXT = 1 << 20;

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
  const unread = new Map<string, string>();
  let faults = 0;
  await readTar(path, async (member) => {
    const base = member.name.slice(member.name.lastIndexOf('/') + 1);
    const dot = base.indexOf('.');
    if (dot < 1) return;
    const ending = base.slice(dot + 1).toLowerCase();
    const key = member.name.slice(0, member.name.length - base.length + dot);
    const sample = samples.get(key) ?? { key, captionForm: CAPTION.none };
    const wasFaulty = sample.fault !== undefined;
    if (await addMember(sample, member, ending, path, options)) samples.set(key, sample);
    else {
      endings.add(ending);
      if (unreadFormatOf(ending)) unread.set(key, member.name);
      options.survey.passOver(ending, `${path}: ${member.name}`);
    }
    if (sample.fault === undefined || wasFaulty) return;
    if (isHopeless(++faults, samples.size)) throw sample.fault;
  });
  const list = [...samples.values()];
  const bare = list.find(({ image }) => image === undefined);
  if (bare !== undefined) {
    const other = unread.get(bare.key);
    const beside =
      other === undefined ? 'no image beside it' : `no image beside it that is read, only ${other}`;
    throw fileError(path, `${bare.annotation} has ${beside}`, `Add ${bare.key}.png or .jpg, or leave it out`);
  }
  if (list.length === 0) {
    const found = endings.size === 0 ? 'no members' : `only members ending in ${listSome(endings)}`;
    const format = Array.from(endings, unreadFormatOf).find((known) => known);
    const isDotted = (ending: string): boolean => IMAGES.has(ending.slice(ending.lastIndexOf('.') + 1));
    const advice = Array.from(endings).some(isDotted)
      ? "A sample's name ends at its first dot: leave dots out of names, as in a-0.png for a.0.png"
      : (format?.advice ?? `Images end in ${[...IMAGES].join(', ')}`);
    throw fileError(path, `holds no images: there are ${found}`, advice);
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
    if (member.size > MOST_IMAGE_BYTES)
      throw fail(`has ${member.size} bytes, more than ${MOST_IMAGE_BYTES}`, 'Leave it out');
    sample.image = member;
    return true;
  }
  if (ending !== 'cls' && ending !== 'json' && !options.captionEndings.includes(ending)) return false;
  sample.annotation ??= member.name;
  try {
    await addAnnotation(sample, member, ending, path, options);
  } catch (error) {
    // Of one sample: whether a few are left out is decided once it is known how many there are.
    if (!(error instanceof RectiflowError) || options.onBadSample === 'fail') throw error;
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
  const { survey, columns } = options;
  const fail = memberError(path, member.name);
  if (member.size > MOST_TEXT) throw fail(`has ${member.size} bytes, more than ${MOST_TEXT}`, 'Shorten it');
  const name = `${path}: ${member.name}`;
  const rank = options.captionEndings.indexOf(ending);
  if (ending === 'cls' && options.labels) {
    sample.label = parseClass(decodeText(await member.content(), name), options.classes, fail);
    survey.addLabel('cls members');
  } else if (rank >= 0 && options.captions) {
    // A text counts before a json, whichever comes first.
    if (sample.captionForm === CAPTION.text && sample.captionRank! <= rank) {
      survey.passOver(ending, name);
      return;
    }
    sample.captionRank = rank;
    [sample.caption, sample.captionForm] = [member, CAPTION.text];
    survey.addCaptions(`${ending} members`, '');
  } else if (ending === 'json' && (options.labels || options.captions)) {
    const record = parseJsonText(decodeText(await member.content(), name), name, 'Write an object');
    survey.addKeys(record);
    const labelKey = options.labels ? findValue(record, columns.labels) : undefined;
    if (labelKey !== undefined) {
      sample.label ??= toLabel(record[labelKey], options.classes, fail);
      survey.addLabel('json members', labelKey);
    }
    const captionKey = options.captions ? findValue(record, columns.captions) : undefined;
    const captions = captionKey === undefined ? undefined : captionsOf(record[captionKey], fail);
    if (captions !== undefined && sample.caption === undefined) {
      [sample.caption, sample.captionForm] = [member, CAPTION.json];
      survey.addCaptions('json members', captions, captionKey);
    }
  }
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
