// Where in a run's files a stream of events is: what a client gives back to go on from there.
import { listCheckpoints } from '../../runs/checkpoint.ts';
import { checkpointFolder } from '../../runs/run-folder.ts';
import type { LivePosition, SampleFile } from '../contract.ts';
import { OpenLog, seamAt } from '../log-file.ts';
import { fileOf } from '../run-place.ts';
import { sizeOf } from '../run-files.ts';
import { listSamples } from '../sample-files.ts';

export type Kind = SampleFile['kind'];

export interface Position {
  /** In metrics.jsonl: which file, the bytes that were told, and what is before that place; -1, 0 and nothing where there is none. */
  readonly inode: number;
  readonly offset: number;
  readonly seam: string;
  /** Bytes of notices.log and events.jsonl. */
  readonly notices: number;
  readonly steering: number;
  /** Steps of the last pictures and the last checkpoint; -1 where there is none. */
  readonly pictures: Readonly<Record<Kind, number>>;
  readonly checkpoint: number;
}

/** Where all is told that is in the files now. */
export async function currentPosition(run: string): Promise<Position> {
  const checkpoints = await listCheckpoints(checkpointFolder(run)).catch((): number[] => []);
  const samples = await listSamples(await fileOf(run, 'samples').catch(() => undefined));
  const last = (kind: Kind): number => samples.findLast((sample) => sample.kind === kind)?.step ?? -1;
  return {
    ...(await endOfLog(run)),
    notices: await sizeOf(await fileOf(run, 'notices.log').catch(() => undefined)),
    steering: await sizeOf(await fileOf(run, 'events.jsonl').catch(() => undefined)),
    pictures: { grid: last('grid'), path: last('path'), sizes: last('sizes') },
    checkpoint: checkpoints.at(-1) ?? -1,
  };
}

/** As clients get it. */
export async function positionOf(run: string): Promise<LivePosition> {
  return formatPosition(await currentPosition(run));
}

/** A line that is being written belongs to what is still to be told. */
const longestLine = 64 << 10;

async function endOfLog(run: string): Promise<Pick<Position, 'inode' | 'offset' | 'seam'>> {
  const path = await fileOf(run, 'metrics.jsonl').catch(() => undefined);
  const none = { inode: -1, offset: 0, seam: '' };
  if (path === undefined) return none;
  return OpenLog.with(path, async (log) => {
    const { inode, size } = log.mark;
    const start = Math.max(0, size - longestLine);
    const newline = (await log.read(start, size)).lastIndexOf(10);
    const offset = newline < 0 ? start : start + newline + 1;
    return { inode, offset, seam: await seamAt(log, offset) };
  }).catch(() => none);
}

export function formatPosition(position: Position): LivePosition {
  const { inode, offset, seam, notices, steering, pictures, checkpoint } = position;
  const numbers = [
    inode,
    offset,
    notices,
    steering,
    pictures.grid,
    pictures.path,
    pictures.sizes,
    checkpoint,
  ];
  return `${numbers.join('.')}.${seam}`;
}

/** @returns undefined of what is none: a client may send anything */
export function parsePosition(text: string): Position | undefined {
  const parts = /^((?:-?\d{1,20}\.){8})([\w-]{0,90})$/.exec(text);
  if (parts === null) return undefined;
  const [inode, offset, notices, steering, grid, path, sizes, checkpoint] = parts[1]!
    .split('.')
    .map((part) => Math.max(-1, Number(part)));
  return {
    inode: inode!,
    offset: Math.max(0, offset!),
    seam: parts[2]!,
    notices: Math.max(0, notices!),
    steering: Math.max(0, steering!),
    pictures: { grid: grid!, path: path!, sizes: sizes! },
    checkpoint: checkpoint!,
  };
}
