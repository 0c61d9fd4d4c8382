// Reads event files by a decoder of its own: records by their lengths, checked by a CRC of single bits, and messages as lists of fields.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';

export interface DecodedEvent {
  readonly wallTime: number;
  readonly step: number;
  readonly version?: string;
  readonly status?: number;
  readonly scalars?: Record<string, number>;
  readonly histograms?: { tag: string; totals: number[]; limits: number[]; counts: number[] }[];
  readonly text?: { tag: string; plugin: string; dtype: number; text: string };
  readonly image?: { tag: string; height: number; width: number; colorspace: number; png: Buffer };
}

/** The events of all files of a folder, in the order of their names. */
export async function eventsOf(run: string): Promise<DecodedEvent[]> {
  const names = (await readdir(run)).filter((name) => name.includes('tfevents')).toSorted();
  const files = await Promise.all(names.map((name) => readFile(join(run, name))));
  return files.flatMap((file) => records(file).map(({ data }) => decodeEvent(data)));
}

export function records(file: Buffer): { data: Buffer; end: number }[] {
  const found = [];
  for (let start = 0; start + 12 <= file.length;) {
    const end = start + 16 + Number(file.readBigUInt64LE(start));
    if (end > file.length) break;
    const data = file.subarray(start + 12, end - 4);
    expect(file.readUInt32LE(start + 8)).toBe(maskedCrc(file.subarray(start, start + 8)));
    expect(file.readUInt32LE(end - 4)).toBe(maskedCrc(data));
    found.push({ data, end });
    start = end;
  }
  return found;
}

function maskedCrc(data: Buffer): number {
  let crc = 0xffffffffn;
  for (const byte of data) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ (crc & 1n ? 0x82f63b78n : 0n);
  }
  crc ^= 0xffffffffn;
  return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn);
}

type Field = { readonly number: number; readonly value: number | Buffer };

function decodeMessage(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message.readUInt8(at++);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  };
  const take = (length: number): Buffer => message.subarray(at, (at += length));
  while (at < message.length) {
    const key = varint();
    const read = {
      0: varint,
      1: () => take(8).readDoubleLE(),
      2: () => take(varint()),
      5: () => take(4).readFloatLE(),
    };
    fields.push({ number: key >> 3, value: read[(key & 7) as keyof typeof read]() });
  }
  return fields;
}

function decodeEvent(data: Buffer): DecodedEvent {
  const [wallTime, step, what, ...more] = decodeMessage(data);
  expect([wallTime?.number, step?.number, more]).toEqual([1, 2, []]);
  const event = { wallTime: Number(wallTime!.value), step: Number(step!.value) };
  const content = what!.value as Buffer;
  if (what!.number === 3) return { ...event, version: content.toString() };
  if (what!.number === 7) {
    const [status] = decodeMessage(content);
    return { ...event, status: Number(status!.value) };
  }
  expect(what!.number).toBe(5);
  const values = decodeMessage(content).map(({ number, value }) => {
    expect(number).toBe(1);
    const [tag, shown, tensor] = decodeMessage(value as Buffer);
    expect(tag!.number).toBe(1);
    return { tag: String(tag!.value), number: shown!.number, value: shown!.value, tensor };
  });
  if (values[0]!.number === 2) {
    return { ...event, scalars: Object.fromEntries(values.map(({ tag, value }) => [tag, Number(value)])) };
  }
  if (values[0]!.number === 5) return { ...event, histograms: values.map(decodeHistogram) };
  if (values[0]!.number === 9) return { ...event, text: decodeText(values[0]!) };
  expect(values.map(({ number }) => number)).toEqual([4]);
  const parts = decodeMessage(values[0]!.value as Buffer);
  expect(parts.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
  const [height, width, colorspace, png] = parts.map(({ value }) => value);
  return {
    ...event,
    image: {
      tag: values[0]!.tag,
      height: Number(height),
      width: Number(width),
      colorspace: Number(colorspace),
      png: png as Buffer,
    },
  };
}

type Shown = { tag: string; value: number | Buffer; tensor: Field | undefined };

function decodeHistogram({ tag, value }: Shown): NonNullable<DecodedEvent['histograms']>[number] {
  const fields = decodeMessage(value as Buffer);
  expect(fields.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  const [limits, counts] = fields.slice(5).map(({ value: list }) => {
    const bytes = list as Buffer;
    return Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(8 * i));
  });
  const totals = fields.slice(0, 5).map(({ value: total }) => Number(total));
  return { tag, totals, limits: limits!, counts: counts! };
}

function decodeText({ tag, value, tensor }: Shown): NonNullable<DecodedEvent['text']> {
  const [plugin, ...rest] = decodeMessage(value as Buffer);
  expect([plugin!.number, tensor!.number, rest]).toEqual([1, 8, []]);
  const [name] = decodeMessage(plugin!.value as Buffer);
  expect(name!.number).toBe(1);
  const [dtype, shape, text] = decodeMessage(tensor!.value as Buffer);
  expect([dtype, shape, text].map((field) => field!.number)).toEqual([1, 2, 8]);
  expect(shape!.value).toHaveLength(0);
  return { tag, plugin: String(name!.value), dtype: Number(dtype!.value), text: String(text!.value) };
}
