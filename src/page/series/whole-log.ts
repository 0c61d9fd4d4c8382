// All records of a log by columns, read piece by piece so that requests are answered meanwhile, and read on from there when it has grown.
import { setImmediate as turn } from 'node:timers/promises';
import { type FileMark, OpenLog, linesFrom, seamAt } from '../log-file.ts';
import { parseRecord } from '../records.ts';
import { Column, Columns } from './columns.ts';

/** Parsed at a time: two milliseconds' worth. */
const pieceBytes = 256 << 10;

/** The log was cut or made anew, so that what was read of it does not count. */
class Changed extends Error {}

export class WholeLog {
  readonly #path: string;
  readonly #count: (bytes: number) => void;
  #columns = new Columns([]);
  #mark: FileMark | undefined;
  #offset = 0;
  #seam = '';
  #work: Promise<void> | undefined;
  #wanted = new Set<string>();
  #isStopped = false;

  /** @param count hears how many bytes are read */
  constructor(path: string, count: (bytes: number) => void) {
    this.#path = path;
    this.#count = count;
  }

  /** All that it was asked for. */
  get wanted(): ReadonlySet<string> {
    return this.#wanted;
  }

  get columns(): Columns {
    return this.#columns;
  }

  get bytes(): number {
    const { columns } = this;
    return [...columns.fields.values()].reduce((sum, { has }) => sum + Column.perRecord * has.length, 0);
  }

  /** What is still to be read before these fields of a file are all there, in bytes. */
  missing(mark: FileMark, fields: readonly string[]): number {
    const isNew = this.#mark === undefined || this.#mark.inode !== mark.inode || mark.size < this.#offset;
    if (isNew || !this.#hasAll(fields)) return mark.size;
    return mark.size - this.#offset;
  }

  /** Reads what is missing. Calls meanwhile wait for the same work, and for more where they want more. */
  async refresh(fields: readonly string[]): Promise<void> {
    for (const field of fields) this.#wanted.add(field);
    do {
      this.#work ??= this.#read().finally(() => (this.#work = undefined));
      await this.#work;
    } while (!this.#hasAll(fields) && !this.#isStopped);
  }

  /** Ends what is being read: nobody waits for it any more. */
  stop(): void {
    this.#isStopped = true;
  }

  #hasAll(fields: readonly string[]): boolean {
    return fields.every((field) => this.#columns.fields.has(field));
  }

  #reset(): void {
    this.#columns = new Columns(this.#wanted);
    [this.#offset, this.#seam, this.#mark] = [0, '', undefined];
  }

  async #read(): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await OpenLog.with(this.#path, (log) => this.#readOn(log), this.#count);
        return;
      } catch (error) {
        if (!(error instanceof Changed) || tries === 3) throw error;
        this.#reset();
      }
    }
  }

  async #readOn(log: OpenLog): Promise<void> {
    const { mark } = log;
    const isOther = this.#mark !== undefined && this.#mark.inode !== mark.inode;
    if (isOther || mark.size < this.#offset) throw new Changed();
    const isTouched = this.#mark?.modified !== mark.modified || this.#mark?.size !== mark.size;
    if (isTouched && this.#offset > 0 && (await seamAt(log, this.#offset)) !== this.#seam)
      throw new Changed();
    const added = [...this.#wanted].filter((field) => !this.#columns.fields.has(field));
    if (added.length > 0) await this.#addFields(log, added);
    this.#offset = await this.#readInto(this.#columns, log, this.#offset, mark.size);
    this.#seam = await seamAt(log, this.#offset);
    this.#mark = mark;
  }

  /** Reads what is there already once more, for further fields. */
  async #addFields(log: OpenLog, fields: readonly string[]): Promise<void> {
    if (this.#offset === 0) {
      this.#columns = new Columns(this.#wanted);
      return;
    }
    const more = new Columns(fields);
    await this.#readInto(more, log, 0, this.#offset);
    const known = this.#columns;
    if (more.count !== known.count && !this.#isStopped) throw new Changed();
    const both = new Columns([...known.fields.keys(), ...fields]);
    for (const [name, column] of both.fields)
      Object.assign(column, known.fields.get(name) ?? more.fields.get(name));
    [both.count, both.damaged] = [known.count, known.damaged];
    this.#columns = both;
  }

  /** @returns where the next line begins */
  async #readInto(columns: Columns, log: OpenLog, start: number, end: number): Promise<number> {
    let at = start;
    while (at < end && !this.#isStopped) {
      const { lines, next } = await linesFrom(log, at, Math.min(pieceBytes, end - at));
      if (next === at) break;
      for (const line of lines) columns.add(parseRecord(line));
      at = next;
      await turn();
    }
    return at;
  }
}
