// The numbers of a log by fields, each a column that grows.
import type { LogRecord } from '../contract.ts';
import { numberIn } from '../records.ts';

/** Of one field: a place for each record. */
export class Column {
  values: Float64Array = new Float64Array(0);
  /** 1 where the record has the field. */
  has: Uint8Array = new Uint8Array(0);

  /** Bytes that a record takes. */
  static readonly perRecord: number = 9;

  set(row: number, value: number | undefined): void {
    if (row >= this.has.length) this.#grow(row);
    if (value === undefined) return;
    this.values[row] = value;
    this.has[row] = 1;
  }

  #grow(row: number): void {
    const length = Math.max(256, Math.ceil(1.5 * row) + 1);
    const [values, has] = [new Float64Array(length), new Uint8Array(length)];
    values.set(this.values);
    has.set(this.has);
    [this.values, this.has] = [values, has];
  }
}

/** What every answer tells of its records. */
export const axes = ['step', 'epoch', 'seconds'] as const;

/** Records by columns: the axes, and the fields that were asked for. */
export class Columns {
  readonly fields: ReadonlyMap<string, Column>;
  count = 0;
  /** Lines that are no records. */
  damaged = 0;

  constructor(fields: Iterable<string>) {
    this.fields = new Map([...new Set([...axes, ...fields])].map((name) => [name, new Column()]));
  }

  /** A record whose step is before that of the last one is none: a log's steps never fall. */
  add(record: LogRecord | undefined): void {
    if (record === undefined || record.step < this.lastStep) {
      this.damaged++;
      return;
    }
    for (const [name, column] of this.fields) column.set(this.count, numberIn(record, name));
    this.count++;
  }

  get steps(): Float64Array {
    return this.fields.get('step')!.values;
  }

  get lastStep(): number {
    return this.count === 0 ? 0 : this.steps[this.count - 1]!;
  }

  /** The first row of a step at or after `step`. */
  rowAt(step: number): number {
    const { steps } = this;
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (steps[middle]! < step) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
