// What the members of a sample in a shard hold beside its image.
import { type RectiflowError, fileError } from '../tensor/errors.ts';
import { shownJson } from '../tensor/shown-json.ts';
import { didYouMean } from '../tensor/suggest.ts';
import { toCaptions } from './annotation-columns.ts';
import type { Captions } from '../data/source.ts';

type Fail = (problem: string, advice: string) => RectiflowError;

export function memberError(shard: string, member: string): Fail {
  return (problem, advice) => fileError(`${shard}: ${member}`, problem, advice);
}

/** The class that a cls member holds, by its number or its name. */
export function parseClass(
  content: string,
  classes: ReadonlyMap<string, number> | undefined,
  fail: Fail,
): number {
  const text = content.trim();
  const label = Number(text);
  if (/^\d+$/.test(text) && label < 2 ** 31) return label;
  const named = classes?.get(text);
  if (named !== undefined) return named;
  const found = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
  throw fail(
    `is no class: ${found}`,
    'Write the number of the class, from 0, or a name of classes.json beside the shards',
  );
}

/** The class that a json member holds, by its number or its name. */
export function toLabel(
  label: unknown,
  classes: ReadonlyMap<string, number> | undefined,
  fail: Fail,
): number {
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
  throw fail(`has the class ${shownJson(label)}`, 'Classes are whole numbers from 0, or names');
}

/** The caption that a json member holds, or several; undefined for an empty list. */
export function captionsOf(value: unknown, fail: Fail): Captions | undefined {
  if (typeof value === 'string') return value;
  return toCaptions(value, () =>
    fail(`has the caption ${shownJson(value)}`, 'Captions are strings, or lists of them'),
  );
}
