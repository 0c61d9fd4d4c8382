// What was encoded of a shard that is not complete yet: a row of records, each behind the last, so that whatever crashes loses no
// more than the one that was being written. Of each, little endian:
//   4 bytes  the length of what follows up to the checksum | place in the set, 4 bytes | label, 4 bytes, -1 for none
//   1 byte   0: a sample, 1: one that is left out | 4 bytes  the length of the text | the text, UTF-8 | the numbers
//   4 bytes  the checksum (CRC-32) of all that
import { type FileHandle, open, readFile, truncate } from 'node:fs/promises';
import { crc32 } from '../../formats/pytorch/crc32.ts';
import { writeFully } from '../../host/write-fully.ts';

export interface JournalRecord {
  /** In the set. */
  readonly place: number;
  readonly label?: number | undefined;
  /** Captions as JSON; of a sample that is left out, why. */
  readonly text: string;
  /** Absent of a sample that is left out. */
  readonly numbers?: Uint8Array | undefined;
}

const LENGTH = 4;
const HEADER = 13;
const CHECKSUM = 4;
const NO_LABEL = -1;
/** A crash of the machine, rather than of the process, may lose what was written since. */
const syncEveryMs = 1000;

export class Journal {
  readonly #file: FileHandle;
  #synced = performance.now();

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** What is there already, without a torn end, and the journal to go on with. */
  static async open(path: string): Promise<{ journal: Journal; records: readonly JournalRecord[] }> {
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    });
    const { records, end } = decode(bytes);
    if (end < bytes.length) await truncate(path, end);
    return { journal: new Journal(await open(path, 'a')), records };
  }

  async add(records: readonly JournalRecord[]): Promise<void> {
    await writeFully(this.#file, Buffer.concat(records.map(encode)));
    if (performance.now() - this.#synced < syncEveryMs) return;
    await this.#file.datasync();
    this.#synced = performance.now();
  }

  async close(): Promise<void> {
    await this.#file.datasync();
    await this.#file.close();
  }
}

function encode({ place, label = NO_LABEL, text, numbers }: JournalRecord): Buffer {
  const words = Buffer.from(text);
  const length = HEADER + words.length + (numbers?.length ?? 0);
  const record = Buffer.alloc(LENGTH + length + CHECKSUM);
  record.writeUInt32LE(length);
  record.writeUInt32LE(place, 4);
  record.writeInt32LE(label, 8);
  record.writeUInt8(numbers ? 0 : 1, 12);
  record.writeUInt32LE(words.length, 13);
  record.set(words, LENGTH + HEADER);
  if (numbers) record.set(numbers, LENGTH + HEADER + words.length);
  record.writeUInt32LE(crc32(record.subarray(0, LENGTH + length)), LENGTH + length);
  return record;
}

function decode(bytes: Buffer): { records: JournalRecord[]; end: number } {
  const records: JournalRecord[] = [];
  let at = 0;
  while (at + LENGTH + HEADER + CHECKSUM <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    const end = at + LENGTH + length;
    if (length < HEADER || end + CHECKSUM > bytes.length) break;
    if (crc32(bytes.subarray(at, end)) !== bytes.readUInt32LE(end)) break;
    const label = bytes.readInt32LE(at + 8);
    const start = at + LENGTH + HEADER;
    const numbers = start + bytes.readUInt32LE(at + 13);
    records.push({
      place: bytes.readUInt32LE(at + 4),
      ...(label !== NO_LABEL && { label }),
      text: bytes.subarray(start, numbers).toString(),
      ...(bytes.readUInt8(at + 12) === 0 && { numbers: bytes.subarray(numbers, end) }),
    });
    at = end + CHECKSUM;
  }
  return { records, end: at };
}
