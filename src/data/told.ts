// What a model is told of its samples, and what was found beside them and is not used: known when a set is opened.
import { counted } from '../tensor/counted.ts';
import { listSome } from './list-some.ts';
import type { SourceFacts } from './source.ts';

/** Something that was found and is not used. */
export interface Unused {
  /** What one of them is called: `.bmp file`, `column`. */
  readonly what: string;
  readonly count: number;
  /** The first few, by name. */
  readonly examples: readonly string[];
  /** What to do, as sentences; absent where it is meant so, or is of no use to a model. */
  readonly advice?: string;
  /** Samples that training refuses, unless its policy leaves them out. */
  readonly areBad?: boolean;
}

/** @param names of all of them */
export function unusedOf(what: string, names: readonly string[], advice?: string): Unused {
  return { what, count: names.length, examples: names.slice(0, 5), ...(advice !== undefined && { advice }) };
}

/**
 * Folders that samples lie in, which may have been meant as classes and tell nothing.
 * @param samples names of all of them, with slashes
 */
export function unusedFolders(samples: readonly string[], advice?: string): Unused[] {
  const folders = new Set(samples.map((name) => name.slice(0, Math.max(0, name.lastIndexOf('/')))));
  return folders.size < 2
    ? []
    : [
        unusedOf(
          'folder name',
          [...folders].filter((name) => name !== ''),
          advice,
        ),
      ];
}

/** How a set came to what it tells of its samples. */
export interface Told {
  /** Where labels or captions are from: `by folder`. */
  readonly by?: string;
  /** Where captions were looked for, in a set that has none. */
  readonly lookedFor?: string;
}

/** `labels (12 classes, by folder)`, `captions (metadata.csv, column text)`, `nothing: unconditional` */
export function describeTold({ captions, classes, told }: SourceFacts): string {
  if (captions) return told?.by === undefined ? 'captions' : `captions (${told.by})`;
  if (classes === undefined) return 'nothing: unconditional';
  const by = told?.by === undefined ? '' : `, ${told.by}`;
  return `labels (${counted(classes, 'class')}${by})`;
}

/** Of a model that learns pictures alone: `nothing: it learns pictures alone, and not their captions (by .txt)` */
export function describeUntold(facts: SourceFacts): string {
  const isAny = facts.captions || facts.classes !== undefined;
  return `nothing: it learns pictures alone${isAny ? `, and not their ${describeTold(facts)}` : ''}`;
}

/** `3 .caption files: 0.caption, 1.caption, 2.caption` */
export function describeUnused({ what, count, examples }: Unused): string {
  return `${counted(count, what)}: ${listSome(examples, count)}`;
}

/** What to do about what is not used or odd, as sentences. */
export function unusedAdvice({
  unused = [],
  remarks = [],
}: Pick<SourceFacts, 'unused' | 'remarks'>): string[] {
  const sentences = unused.flatMap((found) =>
    found.advice === undefined ? [] : [`Not used: ${describeUnused(found)}. ${found.advice}`],
  );
  return [...sentences, ...remarks];
}

/** Where captions were looked for in vain, and what may hold some, as sentences with a space before each; or nothing. */
export function describeSearch(lookedFor: string | undefined, unused: readonly Unused[] = []): string {
  const found = unused.filter(({ advice }) => advice !== undefined).map(describeUnused);
  return [
    ...(lookedFor === undefined ? [] : [` Captions were looked for in ${lookedFor}.`]),
    ...(found.length === 0 ? [] : [` Not used: ${found.join('; ')}.`]),
  ].join('');
}
