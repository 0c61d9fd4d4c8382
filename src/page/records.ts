// Lines of metrics.jsonl as the page has them.
import type { LogRecord, Num } from './contract.ts';

/** @returns undefined of a line that is no record */
export function parseRecord(line: string): LogRecord | undefined {
  try {
    const record = JSON.parse(line) as LogRecord | null;
    return typeof record?.step === 'number' && record.step >= 0 ? record : undefined;
  } catch {
    return undefined;
  }
}

/** The number that a field has in a record, as a line holds it: NaN and infinities by name. undefined where it has none. */
export function numberIn(record: LogRecord, field: string): number | undefined {
  const whole = own(record, field);
  if (whole !== undefined) return toNumber(whole);
  const dot = field.indexOf('.');
  if (dot < 0) return undefined;
  const group = own(record, field.slice(0, dot));
  return group === undefined ? undefined : toNumber(own(group, field.slice(dot + 1)));
}

/** The fields of a record that are numbers, those of groups by dotted names. */
export function fieldsOf(record: LogRecord): string[] {
  return Object.entries(record).flatMap(([name, value]) => {
    if (toNumber(value) !== undefined) return [name];
    if (typeof value !== 'object' || value === null) return [];
    // A place in a list may be empty in one record and filled in another.
    const isList = Array.isArray(value);
    const inner = Object.entries(value as object).filter(
      ([, each]) => toNumber(each) !== undefined || (isList && each === null),
    );
    return inner.map(([key]) => `${name}.${key}`);
  });
}

/** A number as JSON takes it. */
export function toNum(value: number): Num {
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

function own(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  if (Array.isArray(value) && name === 'length') return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

const named: Readonly<Record<Exclude<Num, number>, number>> = {
  NaN: NaN,
  Infinity: Infinity,
  '-Infinity': -Infinity,
};

export function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && Object.hasOwn(named, value)
    ? named[value as keyof typeof named]
    : undefined;
}
