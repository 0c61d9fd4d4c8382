// What lies in a run's folder beside its numbers.
import { lstat, readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { stepOfStored } from '../kept/layout.ts';
import { averagesFolder } from '../runs/averages-file.ts';
import { DAMAGED } from '../kept/checkpoint-state.ts';
import { listCheckpoints, openCheckpoint, stepName } from '../runs/checkpoint.ts';
import { checkpointFolder } from '../runs/run-folder.ts';
import { fileError } from '../tensor/errors.ts';
import type { BadStepNote, CheckpointNote, Notice, SteeringEvent } from './contract.ts';
import { OpenLog } from './log-file.ts';
import { parseRecord, toNum, toNumber } from './records.ts';
import { failureOf } from './refusal.ts';
import { fileOf } from './run-place.ts';
import { isThere } from './run-record.ts';

/** Of a file of lines, as much as is told: so many lines, among so many bytes. */
const toldLines = 1000;
const toldBytes = 1 << 20;

/** The last lines of a file of a run; none where it is missing. */
export async function lastLines(run: string, name: string): Promise<string[]> {
  const path = await fileOf(run, name);
  const lines = path === undefined ? [] : await OpenLog.with(path, (log) => log.tail(toldBytes));
  return lines.slice(-toldLines);
}

/** A line of notices.log. @returns undefined of another line */
export function parseNotice(line: string): Notice | undefined {
  const [, step, text] = /^step (\d{1,15}): (.*)$/s.exec(line) ?? [];
  return text === undefined ? undefined : { step: Number(step), text };
}

/** A line of bad-steps.jsonl. @returns undefined of another line */
export function parseBadStep(line: string): BadStepNote | undefined {
  const record = parseRecord(line);
  if (record === undefined) return undefined;
  const { step, loss, gradNorm, epoch, finding } = record;
  return {
    step,
    loss: toNum(toNumber(loss) ?? NaN),
    gradNorm: toNum(toNumber(gradNorm) ?? NaN),
    epoch: toNumber(epoch) ?? 0,
    finding: typeof finding === 'string' ? finding : null,
  };
}

/** A line of events.jsonl. @returns undefined of another line */
export function parseSteering(line: string): SteeringEvent | undefined {
  const event = parseRecord(line);
  if (event === undefined) return undefined;
  const has = (type: string, ...names: readonly string[]): boolean =>
    names.every((name) => event[name] !== null && typeof event[name] === type);
  const isEvent =
    has('string', 'id', 'time', 'kind', 'outcome') &&
    (has('object', 'settings') || event['settings'] === undefined) &&
    (has('string', 'sentence') || event['sentence'] === undefined);
  return isEvent ? (event as unknown as SteeringEvent) : undefined;
}

export async function checkpointsOf(run: string): Promise<CheckpointNote[]> {
  const folder = checkpointFolder(run);
  const steps = await listCheckpoints(folder).catch((): number[] => []);
  return Promise.all(steps.map((step) => checkpointNote(run, step)));
}

export async function checkpointNote(run: string, step: number): Promise<CheckpointNote> {
  const path = join(checkpointFolder(run), stepName(step));
  return { step, bytes: await diskOf(path), problem: await problemOf(run, path) };
}

/** By the sizes of its files: who uses a checkpoint compares all of its bytes. */
async function problemOf(run: string, path: string): Promise<string | null> {
  try {
    const { files } = await openCheckpoint(path);
    for (const [name, written] of Object.entries(files)) {
      const file = join(path, name);
      const bytes = await sizeOf(await fileOf(run, relative(run, file)));
      if (bytes !== written.bytes)
        throw fileError(file, `has ${bytes} bytes, ${written.bytes} were written`, DAMAGED);
    }
    return null;
  } catch (error) {
    // Old ones are removed at any time.
    return (await isThere(path)) ? failureOf(error, () => {}).body.error : null;
  }
}

export async function averagesOf(run: string): Promise<number[]> {
  const names = await readdir(averagesFolder(run)).catch((): string[] => []);
  const steps = names.map(stepOfStored).filter((step) => step !== undefined);
  return steps.toSorted((a, b) => a - b);
}

/** Bytes of all files below a folder; links are not followed, and what is gone meanwhile has none. */
export async function diskOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const sizes = entries.map(async (entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return diskOf(path);
    return lstat(path).then(
      ({ size }) => size,
      () => 0,
    );
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Bytes of a file; 0 where it is not there. */
export async function sizeOf(path: string | undefined): Promise<number> {
  if (path === undefined) return 0;
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
