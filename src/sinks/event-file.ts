// The event files that TensorBoard shows.
//
// Such a file is a row of TFRecords (TensorFlow's record_writer.h), each
//
//     length uint64, masked CRC32C of length uint32, data, masked CRC32C of data uint32      (all little-endian)
//
// so that a file which was cut is good up to its last whole record. Data are one Event, a protobuf message. Of the messages
// in TensorBoard's event.proto, summary.proto, histogram.proto and tensor.proto these fields are written:
//
//     Event       1 wall_time double, 2 step int64, and one of 3 file_version string, 5 Summary, 7 SessionLog
//     Summary     1 Value, repeated
//     Value       1 tag string, and one of 2 simple_value float, 4 Image, 5 Histogram, or 9 Metadata with 8 Tensor
//     Image       1 height, 2 width, 3 colorspace int32, 4 encoded_image_string bytes
//     Histogram   1 min, 2 max, 3 num, 4 sum, 5 sum_squares double, 6 bucket_limit, 7 bucket double, repeated, packed
//     Metadata    1 plugin_data, whose 1 is plugin_name string
//     Tensor      1 dtype enum, 2 tensor_shape (empty for one value), 8 string_val bytes
//     SessionLog  1 status enum

import { open, readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileError, systemProblem } from '../tensor/errors.ts';
import type { RectiflowError } from '../tensor/errors.ts';
import type { Histogram } from './histogram.ts';
import { type Message, double, doubles, float, integer, message, nested, text } from '../formats/protobuf.ts';
import { writeFully } from '../host/write-fully.ts';

const SESSION_START = 1;
const GREY = 1;
const RGB = 3;
const DT_STRING = 7;

/** Keeps the names apart where one process trains twice within a second. */
let opened = 0;

/**
 * Writes one event file. The numbers are in metrics.jsonl too, so a failure must not end a training: the first one is told,
 * the file then ends with its last whole record, and whatever comes later is dropped.
 */
export class EventLog {
  readonly #path: string;
  readonly #onFailure: (problem: RectiflowError) => void;
  #file: FileHandle | undefined;
  #size = 0;

  private constructor(path: string, onFailure: (problem: RectiflowError) => void) {
    this.#path = path;
    this.#onFailure = onFailure;
  }

  /**
   * Starts a new file. TensorBoard reads those of a folder in the order of their names and hides what earlier ones have of
   * the steps after `step`.
   * @param step that the run goes on after; 0 for a new run
   * @param onFailure called once at most
   */
  static async open(
    folder: string,
    step: number,
    onFailure: (problem: RectiflowError) => void,
  ): Promise<EventLog> {
    const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, '0');
    const name = `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${opened++}`;
    const log = new EventLog(join(folder, name), onFailure);
    try {
      log.#file = await open(log.#path, 'wx');
    } catch (error) {
      await log.#fail(error);
    }
    await log.#append(0, text(3, 'brain.Event:2'));
    // Hides the event's own step as well, hence + 1. New runs write it too: some readers pass over the first that they see.
    await log.#append(step + 1, nested(7, integer(1, SESSION_START)));
    return log;
  }

  /** @param values by tag; TensorBoard groups them by what precedes a slash */
  async addScalars(step: number, values: Readonly<Record<string, number>>): Promise<void> {
    const shown = Object.entries(values).map(([tag, value]) => summaryValue(tag, float(2, value)));
    await this.#append(step, summary(...shown));
  }

  /** @param values by tag */
  async addHistograms(step: number, values: Readonly<Record<string, Histogram>>): Promise<void> {
    const shown = Object.entries(values).map(([tag, value]) =>
      summaryValue(tag, nested(5, histogram(value))),
    );
    await this.#append(step, summary(...shown));
  }

  /** For the page of texts, which are Markdown there. */
  async addText(step: number, tag: string, markdown: string): Promise<void> {
    const tensor = nested(8, message(integer(1, DT_STRING), text(2, ''), text(8, markdown)));
    const metadata = nested(9, nested(1, text(1, 'text')));
    await this.#append(step, summary(summaryValue(tag, metadata, tensor)));
  }

  /** @param path of a PNG file, grey or RGB */
  async addImage(step: number, tag: string, path: string): Promise<void> {
    await this.#guard(async () => {
      const png = await readFile(path);
      // Of the header that begins every PNG file: width, height, and the colour type, which is 0 for grey.
      const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
      const colorspace = png.readUInt8(25) === 0 ? GREY : RGB;
      const size = [integer(1, height), integer(2, width), integer(3, colorspace)];
      const image = nested(4, message(...size, nested(4, [png])));
      await this.#append(step, summary(summaryValue(tag, image)));
    });
  }

  /** Flushes to the disk. */
  async sync(): Promise<void> {
    await this.#guard((file) => file.sync());
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => {});
  }

  async #append(step: number, what: Message): Promise<void> {
    await this.#guard(async (file) => {
      const record = frame(Buffer.concat(message(double(1, Date.now() / 1000), integer(2, step), what)));
      await writeFully(file, record);
      this.#size += record.length;
    });
  }

  async #guard(work: (file: FileHandle) => Promise<void>): Promise<void> {
    const file = this.#file;
    if (!file) return;
    try {
      await work(file);
    } catch (error) {
      // A flush runs beside what is appended: whichever fails first closes the file.
      if (this.#file === file) await this.#fail(error);
    }
  }

  async #fail(error: unknown): Promise<void> {
    await this.#file?.truncate(this.#size).catch(() => {});
    await this.close();
    const problem = `events for TensorBoard cannot be written: ${systemProblem(error)}`;
    const advice = 'Training goes on without them, and metrics.jsonl has the same numbers';
    this.#onFailure(fileError(this.#path, problem, advice, error));
  }
}

function summary(...values: Message[]): Message {
  return nested(5, message(...values));
}

function summaryValue(tag: string, ...what: Message[]): Message {
  return nested(1, message(text(1, tag), ...what));
}

/** Bucket i ends at limit i; the first begins at the smallest value. */
function histogram({ min, max, sum, sumSquares, counts, edges }: Histogram): Message {
  const count = counts.reduce((total, each) => total + each, 0);
  const totals = [min, max, count, sum, sumSquares].map((value, i) => double(i + 1, value));
  return message(...totals, doubles(6, edges.slice(1)), doubles(7, counts));
}

/** One TFRecord. */
function frame(data: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(data.length));
  return Buffer.concat([length, maskedChecksum(length), data, maskedChecksum(data)]);
}

/** Masked because a CRC over data that hold their own CRC is weak, says the format. */
function maskedChecksum(data: Buffer): Buffer {
  const crc = crc32c(data);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return checksum;
}

/** The Castagnoli polynomial, bits reversed. */
const POLYNOMIAL = 0x82f63b78;

const CRC_OF_BYTE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  return crc;
});

/** CRC32C, the checksum of iSCSI (RFC 3720, appendix B.4), as an unsigned number. */
export function crc32c(data: Uint8Array): number {
  let crc = ~0;
  for (let i = 0; i < data.length; i++) crc = CRC_OF_BYTE[(crc ^ data[i]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
