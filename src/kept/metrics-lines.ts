// metrics.jsonl, line by line.
import { printableJson } from '../tensor/printable.ts';

/** One line of metrics.jsonl. NaN and infinities, which JSON lacks, are written as "NaN", "Infinity" and "-Infinity". */
export interface MetricsRecord {
  readonly step: number;
  readonly [name: string]: MetricValue | undefined;
}

type Plain = number | string | boolean | null;
/** One value, a list of them or some by name. */
export type MetricValue = Plain | readonly Plain[] | Readonly<Record<string, Plain>>;

const NEWLINE = 10;

/** What lines hold, also of a log that is being written or was cut by a crash, and how many of them are no records. */
export function parseRecords(log: Uint8Array): { records: MetricsRecord[]; damaged: number } {
  const lines = decoded(log).split('\n').slice(0, -1);
  const records = lines.map(parseRecord).filter((record) => record !== undefined);
  return { records, damaged: lines.length - records.length };
}

/** The length of the log up to and with its last whole record at or before `step`: steps never fall along the file. */
export function bytesUpTo(log: Uint8Array, step: number): number {
  let end = log.lastIndexOf(NEWLINE) + 1;
  while (end > 0) {
    const start = end > 1 ? log.lastIndexOf(NEWLINE, end - 2) + 1 : 0;
    const record = parseRecord(decoded(log.subarray(start, end)));
    if (record !== undefined && record.step <= step) break;
    end = start;
  }
  return end;
}

function parseRecord(line: string): MetricsRecord | undefined {
  try {
    const record = JSON.parse(line) as MetricsRecord | null;
    return typeof record?.step === 'number' ? record : undefined;
  } catch {
    return undefined;
  }
}

/** A record as a line. */
export function formatRecord(record: MetricsRecord): string {
  return `${printableJson(record, nameNonFinite)}\n`;
}

function nameNonFinite(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

function decoded(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}
