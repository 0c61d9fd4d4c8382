// How the columns of metadata and of Parquet files, and the keys of json members, that hold captions and labels are called.
import type { RectiflowError } from '../tensor/errors.ts';
import type { Condition } from './settings.ts';
import type { Captions } from '../data/source.ts';
import { type Unused, unusedOf } from '../data/told.ts';

/** The first that there is counts, unless a setting says which. */
export const CAPTION_COLUMNS: readonly string[] = ['caption', 'text', 'prompt', 'captions'];
export const LABEL_COLUMNS: readonly string[] = ['label', 'class'];

export const LIKE_CAPTIONS: RegExp = /caption|text|prompt|descri|title|alt|sentence|tags/i;
export const LIKE_LABELS: RegExp = /label|class|categor|target|species|genre/i;

/** What names of columns hold what: set, or the usual ones. */
export interface AnnotationColumns {
  readonly captions: readonly string[];
  readonly labels: readonly string[];
}

/** Whether a model may be told what images show in this way, where that is found. */
export function mayTell(condition: Condition, way: 'class' | 'caption'): boolean {
  return condition === 'auto' || condition === way;
}

/** The names to look for, by the settings of a source. */
export function annotationColumns(settings: {
  readonly captionColumn?: string;
  readonly labelColumn?: string;
}): AnnotationColumns {
  const { captionColumn, labelColumn } = settings;
  return {
    captions: captionColumn === undefined ? CAPTION_COLUMNS : [captionColumn],
    labels: labelColumn === undefined ? LABEL_COLUMNS : [labelColumn],
  };
}

/** The first of the wanted names that is among `names`: as it is, else whatever its case and the spaces around it. */
export function findColumn(names: readonly string[], wanted: readonly string[]): string | undefined {
  const exact = wanted.find((name) => names.includes(name));
  if (exact !== undefined) return exact;
  const plain = names.map(plainName);
  const found = wanted.map((name) => plain.indexOf(plainName(name))).find((index) => index >= 0);
  return found === undefined ? undefined : names[found];
}

function plainName(name: string): string {
  return name.trim().toLowerCase();
}

/** The first of the wanted columns that has a value in a row, as `findColumn` looks for it. */
export function findValue(
  row: Readonly<Record<string, unknown>>,
  wanted: readonly string[],
): string | undefined {
  const isGiven = (name: string): boolean =>
    Object.hasOwn(row, name) && row[name] !== undefined && row[name] !== null;
  return wanted.find(isGiven) ?? findColumn(Object.keys(row).filter(isGiven), wanted);
}

/**
 * A caption, or several of one image, without the spaces around them; undefined where there are none.
 * @param fail makes the error of what is neither
 */
export function toCaptions(value: unknown, fail: () => RectiflowError): Captions | undefined {
  if (value === undefined || value === null) return undefined;
  const list: unknown = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list) || !list.every((caption) => typeof caption === 'string')) throw fail();
  const captions = list.map((caption) => caption.trim()).filter((caption) => caption !== '');
  return captions.length > 1 ? captions : captions[0];
}

/**
 * The columns that are not used. Those that look like captions or labels come with advice where the model is told less than
 * it could be.
 * @param what one of them is called
 */
export function unusedColumns(
  names: readonly string[],
  used: readonly string[],
  told: { readonly captions: boolean; readonly labels: boolean },
  condition: Condition,
  what = 'column',
): Unused[] {
  const rest = names.filter((name) => !used.includes(name));
  const likeCaptions = rest.filter((name) => LIKE_CAPTIONS.test(name));
  const likeLabels = rest.filter((name) => LIKE_LABELS.test(name) && !LIKE_CAPTIONS.test(name));
  const others = rest.filter((name) => !likeCaptions.includes(name) && !likeLabels.includes(name));
  const mayCaption = mayTell(condition, 'caption');
  const mayLabel = mayTell(condition, 'class');
  const wantsCaptions = mayCaption && !told.captions;
  const wantsLabels = mayLabel && !told.captions && !told.labels;
  return [
    ...columns(what, likeCaptions, wantsCaptions ? 'captions, set data.captionColumn' : undefined),
    ...columns(what, likeLabels, wantsLabels ? 'classes, set data.labelColumn' : undefined),
    ...columns(what, others, undefined),
  ];
}

function columns(what: string, names: readonly string[], meant: string | undefined): Unused[] {
  if (names.length === 0) return [];
  const quoted = names.map((name) => `"${name}"`);
  const advice = names.length === 1 ? `If it holds ${meant} to it.` : `If one holds ${meant} to its name.`;
  return [unusedOf(what, quoted, meant && advice)];
}
