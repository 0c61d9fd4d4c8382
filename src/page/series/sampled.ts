// Some lines of a log that is too long to be read while somebody waits: from places that are evenly spaced in the file.
import type { LogRecord } from '../contract.ts';
import { parseRecord } from '../records.ts';
import type { OpenLog } from '../log-file.ts';
import { Columns } from './columns.ts';

/** How many places are read, and how much of each: a line is a few hundred bytes, those of large models some thousand. */
const places = 1000;
const placeBytes = 4 << 10;
const longerBytes = 64 << 10;
/** How many places are read at a time. */
const atATime = 32;

/** Numbers of some records of a log. */
export interface SampledLog {
  readonly columns: Columns;
  /** About how many lines the log has. */
  readonly records: number;
  readonly first: number;
  readonly last: number;
}

interface Line {
  readonly text: string;
  readonly start: number;
}

/**
 * @param range of steps; the places are between them, as far as that is in order
 * @param onRecord is given each of the records
 */
export async function sampleLog(
  log: OpenLog,
  fields: readonly string[],
  range: { readonly from: number; readonly to: number },
  onRecord: (record: LogRecord) => void = () => {},
): Promise<SampledLog> {
  const { size } = log.mark;
  const head = await recordAfter(log, 0);
  const tail = (await log.tail(longerBytes)).map(parseRecord).findLast((record) => record !== undefined);
  const columns = new Columns(fields);
  if (head === undefined || tail === undefined) return { columns, records: 0, first: 0, last: 0 };
  const start = range.from <= head.step ? 0 : await placeOfStep(log, range.from);
  const end = range.to >= tail.step ? size : await placeOfStep(log, range.to + 1);
  const lines = await linesBetween(log, start, end);
  for (const { text } of lines) {
    const record = parseRecord(text);
    if (record === undefined) continue;
    columns.add(record);
    onRecord(record);
  }
  if (end === size && tail.step > columns.lastStep) columns.add(tail);
  const bytes = lines.reduce((sum, { text }) => sum + Buffer.byteLength(text) + 1, 0);
  const records = lines.length === 0 ? 0 : Math.round(size / (bytes / lines.length));
  return { columns, records, first: head.step, last: tail.step };
}

/** A line from each place, in order, none twice. */
async function linesBetween(log: OpenLog, start: number, end: number): Promise<Line[]> {
  const found = new Map<number, Line>();
  const offsets = Array.from({ length: places }, (_, i) => Math.floor(start + ((end - start) * i) / places));
  for (let at = 0; at < places; at += atATime) {
    const lines = await Promise.all(offsets.slice(at, at + atATime).map((offset) => lineAfter(log, offset)));
    for (const line of lines) if (line && line.start < Math.max(end, start + 1)) found.set(line.start, line);
  }
  return [...found.values()].toSorted((a, b) => a.start - b.start);
}

/** The first whole line that begins at or after a place; undefined where there is none near. */
async function lineAfter(log: OpenLog, offset: number): Promise<Line | undefined> {
  for (const bytes of [placeBytes, longerBytes]) {
    // From one byte before: a line that begins at the place is that line.
    const from = Math.max(0, offset - 1);
    const piece = await log.read(from, offset + bytes);
    const begin = offset === 0 ? 0 : piece.indexOf(10) + 1;
    const end = begin === 0 && offset > 0 ? -1 : piece.indexOf(10, begin);
    if (end >= 0) return { text: piece.toString('utf8', begin, end), start: from + begin };
  }
  return undefined;
}

/** The record of the first line from a place on that is one, of a few that are looked at. */
async function recordAfter(log: OpenLog, offset: number): Promise<LogRecord | undefined> {
  for (let at = offset, tries = 0; tries < 8; tries++) {
    const line = await lineAfter(log, at);
    if (line === undefined) return undefined;
    const record = parseRecord(line.text);
    if (record) return record;
    at = line.start + Buffer.byteLength(line.text) + 1;
  }
  return undefined;
}

/** About where the records of a step begin, by halving: steps never fall along a log. */
async function placeOfStep(log: OpenLog, step: number): Promise<number> {
  let [low, high] = [0, log.mark.size];
  while (high - low > placeBytes) {
    const middle = Math.floor((low + high) / 2);
    const record = await recordAfter(log, middle);
    if (record !== undefined && record.step < step) low = middle;
    else high = middle;
  }
  return low;
}
