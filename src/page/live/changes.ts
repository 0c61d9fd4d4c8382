// What has happened to a run since a position.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { listCheckpoints } from '../../runs/checkpoint.ts';
import { checkpointFolder } from '../../runs/run-folder.ts';
import type { LiveEvent } from '../contract.ts';
import { type Lines, OpenLog, compared, linesFrom } from '../log-file.ts';
import { parseRecord } from '../records.ts';
import { checkpointNote, parseNotice, parseSteering } from '../run-files.ts';
import { fileOf } from '../run-place.ts';
import { isWholePng, listSamples } from '../sample-files.ts';
import { type Part, allParts } from './marks.ts';
import { type Kind, type Position, currentPosition } from './position.ts';

/** An event, and where the one after it begins. */
export interface Change {
  readonly event: LiveEvent;
  readonly at: Position;
}

/** Of a log, in bytes: who is further behind asks for series, and gets no single records. */
export const mostBehind: number = 1 << 20;

export interface Changes {
  readonly changes: readonly Change[];
  /** Whether a picture is there of which a part is still to be written. */
  readonly waiting: boolean;
  /** Of the run's logs, in bytes. */
  readonly read: number;
}

/** What a look tells beside what has changed. */
interface Hooks {
  onWaiting(): void;
  onRead(bytes: number): void;
}
type Look = (run: string, from: Position, hooks: Hooks) => Promise<Change[]>;

/** Who tells about each part, in the order in which they are told. */
const looks: readonly (readonly [Part, Look])[] = [
  ['records', newRecords],
  ['notices', newNotices],
  ['steering', newSteering],
  ['pictures', newPictures],
  ['checkpoints', newCheckpoints],
];

/** @param run its folder @param parts what is looked at; all by default */
export async function changesSince(
  run: string,
  from: Position,
  parts: readonly Part[] = allParts,
): Promise<Changes> {
  const told: Change[] = [];
  let at = from;
  let [waiting, read] = [false, 0];
  const hooks: Hooks = { onWaiting: () => (waiting = true), onRead: (bytes) => (read += bytes) };
  for (const [part, look] of looks) {
    if (!parts.includes(part)) continue;
    for (const change of await look(run, at, hooks)) {
      told.push(change);
      at = change.at;
    }
  }
  return { changes: told, waiting, read };
}

async function newRecords(run: string, from: Position, { onRead }: Hooks): Promise<Change[]> {
  const path = await fileOf(run, 'metrics.jsonl').catch(() => undefined);
  // Who trains makes one that was deleted anew, with the next record.
  if (path === undefined) return [];
  const look = async (log: OpenLog): Promise<Change[]> => {
    const { inode, size } = log.mark;
    if (from.inode === inode && from.offset === size) return [];
    const isOther = from.inode !== inode && from.inode !== -1;
    if (isOther || size < from.offset) return cutTo(run, from, isOther ? 0 : await lastStep(log));
    const start = Math.max(0, from.offset - compared);
    const bytes = await log.read(start, Math.min(size, from.offset + mostBehind));
    const begin = from.offset - start;
    if (from.offset > 0 && bytes.toString('base64url', 0, begin) !== from.seam) return cutTo(run, from, 0);
    if (size - from.offset > mostBehind) {
      const { offset, seam } = await currentPosition(run);
      return [{ event: { type: 'behind' }, at: { ...from, inode, offset, seam } }];
    }
    return recordsIn(bytes, begin, start, { ...from, inode });
  };
  return OpenLog.with(path, look, onRead).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

/** @param begin of what is new in the bytes @param start of the bytes in the file */
function recordsIn(bytes: Buffer, begin: number, start: number, from: Position): Change[] {
  const told: Change[] = [];
  for (let line = begin, end = bytes.indexOf(10, line); end >= 0; end = bytes.indexOf(10, line)) {
    const record = parseRecord(bytes.toString('utf8', line, end));
    line = end + 1;
    const offset = start + line;
    // As `seamAt` has it: of the bytes before the place.
    const seam = bytes.toString('base64url', Math.max(0, line - compared), line);
    if (record) told.push({ event: { type: 'record', record }, at: { ...from, offset, seam } });
  }
  return told;
}

/** Of a log that is other than it was: what was told of steps after `step` does not count. */
async function cutTo(run: string, from: Position, step: number): Promise<Change[]> {
  const { inode, offset, seam } = await currentPosition(run);
  const { grid, path, sizes } = from.pictures;
  const pictures = {
    grid: Math.min(grid, step),
    path: Math.min(path, step),
    sizes: Math.min(sizes, step),
  };
  const checkpoint = Math.min(from.checkpoint, step);
  return [{ event: { type: 'cut', step }, at: { ...from, inode, offset, seam, pictures, checkpoint } }];
}

async function lastStep(log: OpenLog): Promise<number> {
  const records = (await log.tail(64 << 10)).map(parseRecord);
  return records.findLast((record) => record !== undefined)?.step ?? 0;
}

async function newNotices(run: string, from: Position, { onRead }: Hooks): Promise<Change[]> {
  const { lines, next } = await newLines(run, 'notices.log', from.notices, onRead);
  const notices = lines.map(parseNotice).filter((notice) => notice !== undefined);
  return notices.map((notice) => ({ event: { type: 'notice', notice }, at: { ...from, notices: next } }));
}

async function newSteering(run: string, from: Position, { onRead }: Hooks): Promise<Change[]> {
  const { lines, next } = await newLines(run, 'events.jsonl', from.steering, onRead);
  const events = lines.map(parseSteering).filter((event) => event !== undefined);
  return events.map((event) => ({ event: { type: 'steering', event }, at: { ...from, steering: next } }));
}

/** Of a file that only grows; one that is shorter than it was is told from its beginning. */
async function newLines(
  run: string,
  name: string,
  offset: number,
  onRead: (bytes: number) => void,
): Promise<Lines> {
  const path = await fileOf(run, name).catch(() => undefined);
  if (path === undefined) return { lines: [], next: 0 };
  const look = (log: OpenLog): Promise<Lines> =>
    linesFrom(log, offset > log.mark.size ? 0 : offset, mostBehind);
  return OpenLog.with(path, look, onRead).catch(() => ({ lines: [], next: offset }));
}

async function newPictures(run: string, from: Position, { onWaiting }: Hooks): Promise<Change[]> {
  const folder = await fileOf(run, 'samples').catch(() => undefined);
  const samples = await listSamples(folder);
  const told: Change[] = [];
  let { pictures } = from;
  const waiting = new Set<Kind>();
  for (const sample of samples) {
    const { kind, step, file } = sample;
    if (step <= pictures[kind] || waiting.has(kind)) continue;
    // One that is being written is told when it is all there.
    if (!(await isWhole(join(folder!, file)))) {
      waiting.add(kind);
      onWaiting();
      continue;
    }
    pictures = { ...pictures, [kind]: step };
    told.push({ event: { type: 'picture', sample }, at: { ...from, pictures } });
  }
  return told;
}

async function isWhole(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, Math.max(0, size - 8));
      return isWholePng(buffer.subarray(0, bytesRead));
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}

async function newCheckpoints(run: string, from: Position): Promise<Change[]> {
  const steps = (await listCheckpoints(checkpointFolder(run)).catch((): number[] => [])).filter(
    (step) => step > from.checkpoint,
  );
  return Promise.all(
    steps.map(async (step): Promise<Change> => {
      const checkpoint = await checkpointNote(run, step);
      return { event: { type: 'checkpoint', checkpoint }, at: { ...from, checkpoint: step } };
    }),
  );
}
