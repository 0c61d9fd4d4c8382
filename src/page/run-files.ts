// What lies in a run's folder beside its numbers.
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { stepOfStored } from '../kept/layout.ts';
import { averagesFolder } from '../runs/averages-file.ts';
import { listCheckpoints, stepName } from '../runs/checkpoint.ts';
import { checkpointFolder } from '../runs/run-folder.ts';
import type { BadStepNote, CheckpointNote, Notice, SteeringEvent } from './contract.ts';
import { OpenLog } from './log-file.ts';
import { parseRecord, toNum, toNumber } from './records.ts';
import { fileOf } from './run-place.ts';

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
  const isEvent = ['id', 'time', 'kind', 'outcome'].every((name) => typeof event?.[name] === 'string');
  return isEvent ? (event as unknown as SteeringEvent) : undefined;
}

export async function checkpointsOf(run: string): Promise<CheckpointNote[]> {
  const folder = checkpointFolder(run);
  const steps = await listCheckpoints(folder).catch((): number[] => []);
  return Promise.all(
    steps.map(async (step) => ({ step, bytes: await diskOf(join(folder, stepName(step))) })),
  );
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
