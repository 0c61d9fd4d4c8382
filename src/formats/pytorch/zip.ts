// Reads zip archives as PyTorch and numpy write them (PKWARE's APPNOTE 6.3.9): one disk, no encryption, members stored or deflated, sizes
// in the central directory, zip64 where they are large. Every number that a file states is checked against the file before it is
// believed.
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { type RectiflowError, fileError } from '../../tensor/errors.ts';
import { readFully } from '../../host/read-file.ts';
import { crc32 } from './crc32.ts';

/** A member of an archive, as the central directory describes it. */
export interface ZipEntry {
  readonly name: string;
  readonly isDeflated: boolean;
  readonly crc: number;
  /** Bytes in the file, and after inflating. */
  readonly storedBytes: number;
  readonly bytes: number;
  /** Where its local header is. */
  readonly position: number;
}

/** A file that is open, and how errors call it. */
export interface OpenFile {
  readonly file: FileHandle;
  readonly path: string;
  readonly bytes: number;
  /** What to do about damage, and how many members it may have; by default as of a PyTorch checkpoint. */
  readonly advice?: string;
  readonly most?: number;
}

const END = 0x06054b50;
const END_BYTES = 22;
const END64_LOCATOR = 0x07064b50;
const END64_LOCATOR_BYTES = 20;
const END64 = 0x06064b50;
const END64_BYTES = 56;
const MEMBER = 0x02014b50;
const MEMBER_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const MAX_COMMENT_BYTES = 0xffff;
/** Where a 32-bit field says that the number is in the zip64 field. */
const IN_ZIP64 = 0xffffffff;

/** Bound what a hostile file makes a reader allocate; the largest models have some thousand members. */
const MAX_ENTRIES = 200_000;
/** Of the directory, for each member that there may be. */
const MAX_MEMBER_BYTES = 336;
/** Of all members together. Weights hardly shrink at all; moments that are still zero shrink a lot. */
const MAX_INFLATION = 64;
const inflate = promisify(inflateRaw);
const REPLACE = 'The file is damaged or no PyTorch checkpoint: copy it again';

/**
 * The members of an archive, by name.
 * @throws RectiflowError when the directory is damaged, members overlap, or they would inflate to far more than the file
 */
export async function readZipDirectory(archive: OpenFile): Promise<ReadonlyMap<string, ZipEntry>> {
  const { most = MAX_ENTRIES } = archive;
  const { start, bytes, count } = await findDirectory(archive);
  if (bytes > MAX_MEMBER_BYTES * most || count > most)
    throw damaged(archive, `claims a directory of ${count} members in ${bytes} bytes`);
  const directory = await readAt(archive, start, bytes);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    const { entry, end } = parseMember(directory, at, archive);
    if (entries.has(entry.name)) throw damaged(archive, `has two members named "${entry.name}"`);
    entries.set(entry.name, entry);
    at = end;
  }
  if (at !== bytes) throw damaged(archive, `has ${bytes - at} bytes behind the members of its directory`);
  checkPlaces([...entries.values()], start, archive);
  return entries;
}

/**
 * All bytes of a member, compared with its checksum.
 * @throws RectiflowError when they are damaged or inflate to another size than the directory says
 */
export async function readZipEntry(archive: OpenFile, entry: ZipEntry): Promise<Uint8Array> {
  const raw = await readAt(archive, await dataStart(archive, entry), entry.storedBytes);
  const data = entry.isDeflated ? await inflated(raw, entry, archive) : raw;
  if (data.length !== entry.bytes || crc32(data) !== entry.crc)
    throw damaged(archive, `member "${entry.name}" does not match its checksum`);
  return data;
}

async function inflated(raw: Uint8Array, { name, bytes }: ZipEntry, archive: OpenFile): Promise<Uint8Array> {
  try {
    // The limit has to be above zero.
    return await inflate(raw, { maxOutputLength: Math.max(1, bytes) });
  } catch (cause) {
    throw damaged(archive, `member "${name}" cannot be inflated to its ${bytes} bytes`, cause);
  }
}

interface Directory {
  readonly start: number;
  readonly bytes: number;
  readonly count: number;
}

async function findDirectory(archive: OpenFile): Promise<Directory> {
  const tailBytes = Math.min(archive.bytes, END_BYTES + MAX_COMMENT_BYTES + END64_LOCATOR_BYTES);
  const tailStart = archive.bytes - tailBytes;
  const tail = view(await readAt(archive, tailStart, tailBytes));
  let at = tailBytes - END_BYTES;
  while (
    at >= 0 &&
    !(tail.getUint32(at, true) === END && at + END_BYTES + tail.getUint16(at + 20, true) === tailBytes)
  )
    at--;
  if (at < 0) throw damaged(archive, 'has no end of a zip archive: it is truncated');
  const short = {
    count: tail.getUint16(at + 10, true),
    bytes: tail.getUint32(at + 12, true),
    start: tail.getUint32(at + 16, true),
  };
  const locator = at - END64_LOCATOR_BYTES;
  const isZip64 = locator >= 0 && tail.getUint32(locator, true) === END64_LOCATOR;
  const found = isZip64
    ? await readEnd64(archive, wide(tail, locator + 8))
    : { ...short, end: tailStart + at };
  if (!(found.start + found.bytes <= found.end))
    throw damaged(archive, `claims a directory at bytes ${found.start} to ${found.start + found.bytes}`);
  return found;
}

async function readEnd64(archive: OpenFile, position: number): Promise<Directory & { readonly end: number }> {
  if (!(position + END64_BYTES <= archive.bytes))
    throw damaged(archive, `claims a zip64 record at byte ${position}, behind its end`);
  const record = view(await readAt(archive, position, END64_BYTES));
  if (record.getUint32(0, true) !== END64) throw damaged(archive, `has no zip64 record at byte ${position}`);
  return { count: wide(record, 32), bytes: wide(record, 40), start: wide(record, 48), end: position };
}

function parseMember(directory: Uint8Array, at: number, archive: OpenFile): { entry: ZipEntry; end: number } {
  const fields = view(directory);
  if (at + MEMBER_BYTES > directory.length || fields.getUint32(at, true) !== MEMBER)
    throw damaged(archive, `has a damaged directory at its byte ${at}`);
  const flags = fields.getUint16(at + 8, true);
  const method = fields.getUint16(at + 10, true);
  const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((offset) =>
    fields.getUint16(at + offset, true),
  );
  const nameEnd = at + MEMBER_BYTES + nameBytes!;
  const extraEnd = nameEnd + extraBytes!;
  const end = extraEnd + commentBytes!;
  if (end > directory.length) throw damaged(archive, `has a damaged directory at its byte ${at}`);
  const name = Buffer.from(directory.subarray(at + MEMBER_BYTES, nameEnd)).toString();
  if ((flags & 1) !== 0) throw damaged(archive, `member "${name}" is encrypted`);
  if (method !== 0 && method !== 8)
    throw damaged(archive, `member "${name}" is compressed by method ${method}, wanted 0 or 8 (deflate)`);
  const stated = [24, 20, 42].map((offset) => fields.getUint32(at + offset, true));
  const [bytes, storedBytes, position] = widened(
    stated,
    directory.subarray(nameEnd, extraEnd),
    name,
    archive,
  );
  const crc = fields.getUint32(at + 16, true);
  return {
    entry: {
      name,
      isDeflated: method === 8,
      crc,
      bytes: bytes!,
      storedBytes: storedBytes!,
      position: position!,
    },
    end,
  };
}

/** The numbers that do not fit 32 bits stand in the extra field 1, one after the other. */
function widened(stated: number[], extra: Uint8Array, name: string, archive: OpenFile): number[] {
  if (!stated.includes(IN_ZIP64)) return stated;
  const fields = view(extra);
  for (let at = 0; at + 4 <= extra.length; at += 4 + fields.getUint16(at + 2, true)) {
    if (fields.getUint16(at, true) !== 1) continue;
    const fieldEnd = Math.min(extra.length, at + 4 + fields.getUint16(at + 2, true));
    let next = at + 4;
    const wider = stated.map((value) => {
      if (value !== IN_ZIP64 || next + 8 > fieldEnd) return value;
      next += 8;
      return wide(fields, next - 8);
    });
    return wider;
  }
  throw damaged(archive, `member "${name}" lacks the zip64 field with its size`);
}

/** Members that share bytes are how small files inflate to huge ones. */
function checkPlaces(entries: ZipEntry[], directoryStart: number, archive: OpenFile): void {
  const { bytes: fileBytes } = archive;
  let end = 0;
  let last = '';
  let total = 0;
  for (const entry of entries.toSorted((a, b) => a.position - b.position)) {
    const { name, position, storedBytes, bytes, isDeflated } = entry;
    if (position < end) throw damaged(archive, `members "${last}" and "${name}" overlap`);
    end = position + LOCAL_BYTES + Buffer.byteLength(name) + storedBytes;
    if (!(end <= directoryStart))
      throw damaged(archive, `member "${name}" ends at byte ${end}, behind the start of the directory`);
    if (!isDeflated && storedBytes !== bytes)
      throw damaged(archive, `member "${name}" is stored in ${storedBytes} bytes, yet has ${bytes}`);
    last = name;
    total += bytes;
  }
  if (total > MAX_INFLATION * fileBytes)
    throw damaged(archive, `has ${fileBytes} bytes and claims to hold ${total}, which no weights do`);
}

/** The local header says once more how long the name is, and has an extra field of its own: torch aligns data with it. */
async function dataStart(archive: OpenFile, entry: ZipEntry): Promise<number> {
  const { position, name, storedBytes } = entry;
  const header = view(await readAt(archive, position, LOCAL_BYTES));
  const start = position + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
  if (header.getUint32(0, true) !== LOCAL || start + storedBytes > archive.bytes)
    throw damaged(archive, `member "${name}" has a damaged header`);
  return start;
}

async function readAt({ file, path }: OpenFile, position: number, bytes: number): Promise<Uint8Array> {
  const data = new Uint8Array(bytes);
  await readFully(file, data, position, path);
  return data;
}

function damaged({ path, advice = REPLACE }: OpenFile, problem: string, cause?: unknown): RectiflowError {
  return fileError(path, problem, advice, cause);
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** 64 bits as a number; what exceeds 2^53 is beyond any file, however it is rounded. */
function wide(fields: DataView, at: number): number {
  return Number(fields.getBigUint64(at, true));
}
