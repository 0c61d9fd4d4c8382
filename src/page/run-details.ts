import { join } from 'node:path';
import { type RunRecord, isEdited } from '../kept/record.ts';
import { counted } from '../tensor/counted.ts';
import type { Json, RunDetails, SteeringEvent } from './contract.ts';
import { fieldsOfLog } from './field-groups.ts';
import { positionOf } from './live/position.ts';
import { failureOf } from './refusal.ts';
import {
  averagesOf,
  checkpointsOf,
  diskOf,
  lastLines,
  parseBadStep,
  parseNotice,
  parseSteering,
} from './run-files.ts';
import { type RunPlace, fileOf } from './run-place.ts';
import { recordOf } from './run-record.ts';
import type { Summaries } from './run-summary.ts';
import { listSamples } from './sample-files.ts';
import { samplingChoices } from './sampling-choices.ts';

/** All that is told of one run. What of it cannot be read is empty, and `damage` says why. */
export async function describeRun(place: RunPlace, summaries: Summaries): Promise<RunDetails> {
  const { path } = place;
  const damage: string[] = [];
  const or = async <T>(otherwise: T, read: () => Promise<T>): Promise<T> => {
    try {
      return await read();
    } catch (error) {
      damage.push(failureOf(error, () => {}).body.error);
      return otherwise;
    }
  };
  // Before all else: what is written from now on comes as events.
  const live = await positionOf(path);
  const record = await or<RunRecord | undefined>(undefined, () => recordOf(path));
  const checkpoints = await checkpointsOf(path);
  const averages = await averagesOf(path);
  const steps = checkpoints.map(({ step }) => step);
  const parsed = <T>(name: string, parse: (line: string) => T | undefined): Promise<T[]> =>
    or<T[]>([], async () => {
      const lines = await lastLines(path, name);
      const known = lines.map(parse).filter((each) => each !== undefined);
      const left = lines.length - known.length;
      if (left > 0) damage.push(`${name}: ${counted(left, 'line')} cannot be read.`);
      return known;
    });
  return {
    summary: await summaries.of(place),
    version: record?.version ?? null,
    machine: record?.machine ?? null,
    config: (record?.config ?? null) as Json,
    isEdited: record !== undefined && (await isEdited(record)),
    groups: await or([], async () => fieldsOfLog(await fileOf(path, 'metrics.jsonl'))),
    notices: await parsed('notices.log', parseNotice),
    badSteps: await parsed('bad-steps.jsonl', parseBadStep),
    checkpoints,
    averages,
    samples: await or([], async () => listSamples(await fileOf(path, 'samples'))),
    disk: await diskOf(path),
    steering: lastOfEach(await parsed('events.jsonl', parseSteering)),
    sampling: await or(null, () => samplingChoices(path, record?.config, steps, averages.length > 0)),
    damage: [...new Set(damage)],
    live,
  };
}

/** Each event once. */
function lastOfEach(events: readonly SteeringEvent[]): SteeringEvent[] {
  return [...new Map(events.map((event) => [event.id, event])).values()];
}

/** The path of a run's log; undefined where it has none yet. */
export function logOf({ path }: RunPlace): Promise<string | undefined> {
  return fileOf(path, 'metrics.jsonl');
}

/** Where a picture of a run is. @param segments below its folder of samples */
export function picturePath({ path }: RunPlace, ...segments: readonly string[]): Promise<string | undefined> {
  return fileOf(path, join('samples', ...segments));
}
