// What requests ask, checked.
import { Refusal } from './refusal.ts';
import type { SeriesQuestion } from './series/store.ts';

type Queries = Readonly<Record<string, readonly string[]>>;

const mostFields = 200;
const longestField = 200;

/** @throws Refusal where it is no `SeriesQuery` */
export function seriesQuestion(queries: Queries): SeriesQuestion {
  const fields = [...new Set((queries['fields'] ?? []).flatMap((text) => text.split(',')))].filter(Boolean);
  if (fields.length === 0 || fields.length > mostFields)
    throw new Refusal(400, `fields must be 1 to ${mostFields} names, as in fields=loss,gradNorm.`);
  if (fields.some((field) => field.length > longestField))
    throw new Refusal(400, `A name in fields must have at most ${longestField} characters.`);
  return {
    fields,
    from: whole(queries, 'from', 0, 0, Number.MAX_SAFE_INTEGER),
    to: whole(queries, 'to', Number.MAX_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER),
    points: whole(queries, 'points', 1500, 10, 10_000),
  };
}

function whole(queries: Queries, name: string, otherwise: number, least: number, most: number): number {
  const text = queries[name]?.[0];
  if (text === undefined || text === '') return otherwise;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new Refusal(400, `${name} must be a whole number from ${least} to ${most}, got "${text}".`);
}
