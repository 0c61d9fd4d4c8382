// Which classes people mean: by name before by number, because a class may be called 2 and be another than the third.
import { type RectiflowError, valueError } from '../tensor/errors.ts';
import { didYouMean } from '../tensor/suggest.ts';
import { alikeKey, placesByKey, spellNames } from './alike.ts';
import { type ListedName, splitNames } from './split-names.ts';
import { listSome } from './list-some.ts';

export interface KnownClasses {
  readonly count: number;
  /** By label. */
  readonly names?: readonly string[] | undefined;
}

export interface FindOptions {
  /** What asks, for errors. */
  readonly where: string;
  /** Told where something else was taken than what is written. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** A text beyond this is no misspelt name. */
const longestMisspelt = 100;
const longestRange = 1e6;

/**
 * The labels of classes. Numbers are labels. A text is the name of a class; or several, divided by commas, each in quotes where it
 * has to be. What no class is called is taken for a name in another case or form, else for a label (`2`) or a range (`0-9`), of
 * names where classes are called by all its numbers. `#2` and `#0-9` are always labels.
 * @throws RectiflowError where there is no such class, or one of several could be meant
 */
export function findClasses(
  given: readonly (number | string)[],
  classes: KnownClasses,
  options: FindOptions,
): number[] {
  const finder = new Finder(classes, options);
  const labels = given.flatMap((item) => (typeof item === 'number' ? finder.label(item) : finder.text(item)));
  finder.tell();
  return labels;
}

class Finder {
  readonly #count: number;
  readonly #names: readonly string[];
  readonly #options: FindOptions;
  readonly #exact: ReadonlyMap<string, readonly number[]>;
  readonly #taken: string[] = [];
  #alike: ReadonlyMap<string, readonly number[]> | undefined;

  constructor({ count, names = [] }: KnownClasses, options: FindOptions) {
    this.#count = count;
    this.#names = names;
    this.#options = options;
    this.#exact = placesByKey(names, (name) => name);
  }

  /** Says what was taken for something else. */
  tell(): void {
    if (this.#taken.length > 0)
      this.#options.onNotice?.(`labels that are no class's name: ${listSome(this.#taken)}`);
  }

  label(label: number, given: number | string = label): number {
    if (Number.isInteger(label) && label >= 0 && label < this.#count) return label;
    throw this.#unknown(given);
  }

  text(text: string): number[] {
    const whole = this.#exact.get(text);
    if (whole) return [this.#only(whole, text)];
    const items = splitNames(text, this.#exact);
    // A name with commas may be in another case, too.
    const isList = items.length === 1 || items.some((item) => this.#named(item));
    const similar = isList ? undefined : this.#similar(text);
    return similar ? this.#take(similar, text) : items.flatMap((item) => this.#item(item));
  }

  /** The classes of a name as it is written. */
  #named({ text, isQuoted }: ListedName): readonly number[] | undefined {
    return this.#exact.get(text) ?? (isQuoted ? undefined : this.#exact.get(text.trim()));
  }

  #take(similar: readonly number[], text: string): number[] {
    const label = this.#only(similar, text);
    const [given, name] = spellNames([text.trim(), this.#names[label]!]);
    this.#taken.push(`${given} (taken for ${name})`);
    return [label];
  }

  #item(item: ListedName): number[] {
    const { text, isQuoted } = item;
    const trimmed = text.trim();
    const named = this.#named(item);
    if (named) return [this.#only(named, text)];
    if (trimmed === '') throw this.#unknown('an empty name');
    const [, hash, first, last = first] = /^(#?)(\d+)(?:-#?(\d+))?$/.exec(isQuoted ? '' : trimmed) ?? [];
    if (hash === '#') return this.#range(Number(first), Number(last), trimmed);
    const similar = this.#similar(trimmed);
    if (similar) return this.#take(similar, text);
    if (first === undefined) throw this.#unknown(trimmed);
    const called = first === last ? [] : this.#namesOfRange(first, last!, trimmed);
    if (called.length > 0) return called;
    const labels = this.#range(Number(first), Number(last), trimmed);
    if (this.#names.some((name) => /^\d+$/.test(name))) {
      const taken = listSome(labels.map((label) => `#${label}, which is "${this.#names[label]}"`));
      this.#taken.push(`"${trimmed}" (taken for ${taken})`);
    }
    return labels;
  }

  /** Classes whose names look alike, or are the same number. */
  #similar(text: string): readonly number[] | undefined {
    this.#alike ??= placesByKey(this.#names, alikeKey);
    const alike = this.#alike.get(alikeKey(text));
    if (alike || !isNumber(text)) return alike;
    const equal = [...this.#names.keys()].filter(
      (label) => isNumber(this.#names[label]!) && Number(this.#names[label]) === Number(text),
    );
    return equal.length > 0 ? equal : undefined;
  }

  #range(first: number, last: number, given: string): number[] {
    if (!(first <= last && last < this.#count)) throw this.#unknown(given);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  }

  /** Of the classes that are called by the numbers of a range; none where no class is. */
  #namesOfRange(first: string, last: string, given: string): number[] {
    const [from, to] = [Number(first), Number(last)];
    if (!(from <= to && to - from < longestRange)) throw this.#unknown(given);
    const width = first.startsWith('0') ? first.length : 0;
    const names = Array.from({ length: to - from + 1 }, (_, i) => String(from + i).padStart(width, '0'));
    const known = names.filter((name) => this.#exact.has(name));
    if (known.length === 0) return [];
    const missing = names.filter((name) => !this.#exact.has(name));
    if (missing.length === 0) return known.map((name) => this.#only(this.#exact.get(name)!, name));
    const wanted = `names of classes, or #${first}-${last} for their numbers: ${listSome(known)} are names, ${listSome(missing)} are none`;
    throw valueError(this.#options.where, 'labels', wanted, given);
  }

  #only(labels: readonly number[], given: string): number {
    if (labels.length === 1) return labels[0]!;
    const names = spellNames(labels.map((label) => this.#names[label]!));
    const listed = listSome(labels.map((label, i) => `#${label} is ${names[i]}`));
    const wanted = `one of several classes that could be meant, by its number: ${listed}`;
    throw valueError(this.#options.where, 'labels', wanted, given);
  }

  #unknown(given: number | string): RectiflowError {
    const names = this.#names.map((name) => (name.includes(',') ? `"${name}"` : name));
    const named = names.length > 0 ? ` or names of them: ${listSome(names)}` : '';
    const isShort = typeof given === 'string' && given.length <= longestMisspelt;
    const hint = isShort ? didYouMean(given, this.#names) : '';
    const wanted = `classes of the model, from 0 to ${this.#count - 1}${named}`;
    return valueError(this.#options.where, 'labels', wanted, given + hint);
  }
}

function isNumber(text: string): boolean {
  return /^-?\d+(?:\.\d+)?$/.test(text);
}
