// Classes of data against those of a checkpoint, by their names: a number alone says nothing of what it stands for.
import { repeatedNames, spellNames } from '../data/alike.ts';
import { listSome } from '../data/list-some.ts';
import { membersOf } from '../data/source-view.ts';
import { type Source, nameOfSample } from '../data/source.ts';
import { counted } from '../tensor/counted.ts';
import { dataError } from '../tensor/errors.ts';
import { type Comparison, type Difference, unchanged } from './data-difference.ts';
import type { DataRecord } from './data-record.ts';

/**
 * Gives labels the numbers that the checkpoint knows their classes by, and the classes its names for them.
 * @param rows classes that the model has room for
 * @throws RectiflowError where there are more classes than the model has room for
 */
export function compareClasses(
  source: Source,
  { classNames: known, classes: knownClasses, told }: DataRecord,
  rows: number,
): Comparison {
  const { classNames: now, classes } = source;
  if (known === undefined && now === undefined) return compareNumbers(source, knownClasses, rows);
  if (known === undefined && now !== undefined && told !== undefined)
    return { source, differences: [{ text: `its classes have names now: ${numbered(now)}` }] };
  if (classes === undefined || known === undefined) return unchanged(source);
  if (now === undefined) {
    const difference: Difference = {
      text: `its classes have no names, where the checkpoint has ${listSome(known)}`,
      ifAccepted: `takes labels as the checkpoint counts them: ${numbered(known)}`,
    };
    return { source: { ...membersOf(source), classNames: known }, differences: [difference] };
  }
  const { names, labels, differences } = matchNames(now, known);
  if (names.length > rows) throw noRoom(source, `${classesCalled(names.slice(known.length))} new`, rows);
  const isSame = names.length === now.length && labels.every((label, i) => label === i);
  const named = isSame ? { ...membersOf(source), classNames: names } : withLabels(source, labels, names);
  return { source: named, differences };
}

/** Of classes without names. */
function compareNumbers(source: Source, known: number | undefined, rows: number): Comparison {
  const { classes } = source;
  if (classes === undefined || known === undefined || classes === known) return unchanged(source);
  const text = `it has ${counted(classes, 'class')} without names, where the checkpoint has ${known}`;
  if (classes > rows) throw noRoom(source, text, rows);
  return { source, differences: [classes > known ? { text, ifAccepted: takesUntrained } : { text }] };
}

function noRoom({ name }: Source, problem: string, rows: number): Error {
  const room = `${problem}, and the model has room for its ${counted(rows, 'class')} alone`;
  return dataError(name, room, 'Leave the others out, or train a new run');
}

const takesUntrained = 'gives the new ones rows of the model that were never trained';

interface Match {
  /** By the checkpoint's labels, with those that are new behind them. */
  readonly names: readonly string[];
  /** The checkpoint's label of each of the data's. */
  readonly labels: readonly number[];
  readonly differences: readonly Difference[];
}

function matchNames(now: readonly string[], known: readonly string[]): Match {
  const form = canonicalForm(now, known);
  const [nowKeys, knownKeys] = [keysOf(now, form), keysOf(known, form)];
  const [nowPlaces, knownPlaces] = [placesOf(nowKeys), placesOf(knownKeys)];
  const missing = known.filter((_, label) => !nowPlaces.has(knownKeys[label]!));
  const added = now.filter((_, label) => !knownPlaces.has(nowKeys[label]!));
  // As many: one took the other's place. Else nothing tells which belong together.
  const isRenamed = missing.length === added.length;
  const renamed = new Map(isRenamed ? missing.map((name, i) => [name, added[i]!]) : []);
  const names = [...known.map((name) => renamed.get(name) ?? name), ...(isRenamed ? [] : added)];
  const places = placesOf(keysOf(names, form));
  const labels = nowKeys.map((key) => places.get(key)!);
  const differences = differencesOf(missing, added, renamed, labels);
  return { names, labels, differences: [...differences, ...describeDoubles(now, differences)] };
}

/** Different ones, also where two classes have one name: these belong together in their order. */
function keysOf(names: readonly string[], form: (name: string) => string): string[] {
  const counts = new Map<string, number>();
  return names.map((name) => {
    const count = counts.get(form(name)) ?? 0;
    counts.set(form(name), count + 1);
    return `${count} ${form(name)}`;
  });
}

function placesOf(keys: readonly string[]): ReadonlyMap<string, number> {
  return new Map(keys.map((key, place) => [key, place]));
}

/** Nothing tells apart classes of one name, where they are not all as they were. */
function describeDoubles(names: readonly string[], differences: readonly Difference[]): Difference[] {
  const doubles = repeatedNames(names);
  if (doubles.length === 0 || differences.length === 0) return [];
  const listed = listSome(new Set(doubles.map((name) => `"${name}"`)));
  return [
    { text: `several classes are called ${listed}`, ifAccepted: 'takes those of one name in their order' },
  ];
}

function differencesOf(
  missing: readonly string[],
  added: readonly string[],
  renamed: ReadonlyMap<string, string>,
  labels: readonly number[],
): Difference[] {
  const found = [
    ...(missing.length > 0 ? [`${classesCalled(missing)} missing`] : []),
    ...(added.length > 0 ? [`${classesCalled(added)} new`] : []),
  ];
  if (found.length === 0) {
    const isMoved = labels.some((label, i) => label !== i);
    return isMoved ? [{ text: 'its classes stand in another order: labels are taken by name' }] : [];
  }
  const places = Array.from(renamed, ([old, name]) => spellNames([name, old]).join(' for '));
  const ifAccepted =
    renamed.size > 0
      ? `takes ${listSome(places)}`
      : added.length > 0
        ? takesUntrained
        : 'leaves the missing ones as they are';
  return [{ text: found.join(', '), ifAccepted }];
}

/** What classes of booleans were called in earlier checkpoints. */
const FORMER_NAMES: ReadonlyMap<string, string> = new Map([
  ['FALSE', 'False'],
  ['TRUE', 'True'],
]);

/** Names that look the same may be written in two ways (macOS takes letters and accents apart). */
function canonicalForm(...lists: readonly (readonly string[])[]): (name: string) => string {
  const form = (name: string): string => FORMER_NAMES.get(name) ?? name.normalize('NFC');
  const isUnique = lists.every((names) => new Set(names.map(form)).size === names.length);
  return isUnique ? form : (name) => name;
}

function classesCalled(names: readonly string[]): string {
  const listed = listSome(names.map((name) => `"${name}"`));
  return names.length === 1 ? `the class ${listed} is` : `the classes ${listed} are`;
}

/** `0 cat, 1 dog` */
function numbered(names: readonly string[]): string {
  return listSome(names.map((name, label) => `${label} ${name}`));
}

function withLabels(source: Source, labels: readonly number[], classNames: readonly string[]): Source {
  return {
    ...membersOf(source),
    classes: classNames.length,
    classNames,
    async read(index, out, offset, key) {
      const { label, ...annotation } = await source.read(index, out, offset, key);
      if (label === undefined) return annotation;
      const known = labels[label];
      if (known !== undefined) return { ...annotation, label: known };
      const problem = `has label ${label}, outside of [0, ${labels.length})`;
      throw dataError(nameOfSample(source, index), problem, 'Correct the label, or the number of classes');
    },
  };
}
