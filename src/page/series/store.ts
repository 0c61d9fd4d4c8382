// Answers questions about the numbers of runs: from all records where they are read already or soon are, from a sample of lines while a
// long log is being read, or where it is too long to be held.
import type { SeriesAnswer } from '../contract.ts';
import { type FileMark, OpenLog } from '../log-file.ts';
import { bucketsOf } from './buckets.ts';
import { Column, axes } from './columns.ts';
import { sampleLog } from './sampled.ts';
import { WholeLog } from './whole-log.ts';

/** What is asked of a log. */
export interface SeriesQuestion {
  readonly fields: readonly string[];
  readonly from: number;
  readonly to: number;
  readonly points: number;
}

export interface SeriesLimits {
  /** Bytes of columns that are held, of all runs together. */
  readonly memory: number;
  /** Bytes that are read while somebody waits. */
  readonly waitedFor: number;
}

export const seriesLimits: SeriesLimits = { memory: 256 << 20, waitedFor: 4 << 20 };

/** Below which no line of a log is, in bytes: what columns may take is known before all is read. */
const fewestBytes = 16;

export class SeriesStore {
  readonly #limits: SeriesLimits;
  /** The log that was asked for last is the last. */
  readonly #logs = new Map<string, WholeLog>();
  #bytesRead = 0;

  constructor(limits: SeriesLimits = seriesLimits) {
    this.#limits = limits;
  }

  /** Of all logs so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Bytes of columns that are held now. */
  get bytesHeld(): number {
    return [...this.#logs.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** @param path of a log; one that is not there has no records */
  async answer(path: string | undefined, question: SeriesQuestion): Promise<Omit<SeriesAnswer, 'live'>> {
    if (path === undefined) return nothing(question);
    return OpenLog.with(path, (log) => this.#answer(path, log, question), this.#counter).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return nothing(question);
        throw error;
      },
    );
  }

  readonly #counter = (bytes: number): void => {
    this.#bytesRead += bytes;
  };

  async #answer(path: string, log: OpenLog, question: SeriesQuestion): Promise<Omit<SeriesAnswer, 'live'>> {
    const whole = this.#logOf(path);
    if (whole.missing(log.mark, question.fields) <= this.#limits.waitedFor) {
      await whole.refresh(question.fields);
      this.#bound(path);
      return this.#exact(whole, question);
    }
    const sampled = await sampleLog(log, question.fields, question);
    const notes: string[] = [];
    const fits = (names: Iterable<string>): boolean =>
      this.#fits(log.mark, sampled.records, new Set(names).size);
    if (fits([...whole.wanted, ...question.fields])) this.#readAll(path, whole, question.fields);
    else if (fits(question.fields)) this.#readAll(path, this.#replace(path), question.fields);
    else notes.push(this.#tooLarge(log.mark));
    const { columns, records, first, last } = sampled;
    return {
      fields: seriesOf(question, (field) => bucketsOf(columns, field, question, false)),
      isApproximate: true,
      records,
      damaged: 0,
      notes,
      steps: records === 0 ? null : { first, last },
    };
  }

  #exact({ columns }: WholeLog, question: SeriesQuestion): Omit<SeriesAnswer, 'live'> {
    const { count, damaged, steps, lastStep } = columns;
    return {
      fields: seriesOf(question, (field) => bucketsOf(columns, field, question, true)),
      isApproximate: false,
      records: count,
      damaged,
      notes: [],
      steps: count === 0 ? null : { first: steps[0]!, last: lastStep },
    };
  }

  #readAll(path: string, whole: WholeLog, fields: readonly string[]): void {
    // What fails now fails again where somebody waits for it.
    whole.refresh(fields).then(
      () => this.#bound(path),
      () => {},
    );
  }

  /** Whether the columns of one log have room. */
  #fits({ size }: FileMark, records: number, fields: number): boolean {
    const rows = records > 0 ? records : size / fewestBytes;
    return rows * Column.perRecord * (axes.length + fields) <= this.#limits.memory;
  }

  #tooLarge({ size }: FileMark): string {
    const [mebibytes, limit] = [size, this.#limits.memory].map((bytes) => Math.round(bytes / 2 ** 20));
    return `The log has ${mebibytes} MiB: its numbers would take more than the ${limit} MiB of memory that are held for curves, so these are of some of its lines. Fewer fields at a time take less.`;
  }

  #logOf(path: string): WholeLog {
    const log = this.#logs.get(path) ?? new WholeLog(path, this.#counter);
    this.#logs.delete(path);
    this.#logs.set(path, log);
    return log;
  }

  /** Begins a log anew, without the fields that were asked for before. */
  #replace(path: string): WholeLog {
    this.#forget(path);
    return this.#logOf(path);
  }

  #forget(path: string): void {
    this.#logs.get(path)?.stop();
    this.#logs.delete(path);
  }

  /** Gives up the logs that were not asked for for longest. */
  #bound(current: string): void {
    for (const path of this.#logs.keys()) {
      if (this.bytesHeld <= this.#limits.memory) return;
      if (path !== current) this.#forget(path);
    }
  }

  /** Gives up all of them. */
  close(): void {
    for (const path of this.#logs.keys()) this.#forget(path);
  }
}

function seriesOf(
  { fields }: SeriesQuestion,
  of: (field: string) => SeriesAnswer['fields'][string],
): SeriesAnswer['fields'] {
  return Object.fromEntries(fields.map((field) => [field, of(field)]));
}

function nothing(question: SeriesQuestion): Omit<SeriesAnswer, 'live'> {
  const empty = new WholeLog('', () => {}).columns;
  return {
    fields: seriesOf(question, (field) => bucketsOf(empty, field, question, true)),
    isApproximate: false,
    records: 0,
    damaged: 0,
    notes: [],
    steps: null,
  };
}
