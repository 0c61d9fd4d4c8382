// Runs that are steered while they train.
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { steerRun } from '../../src/api/steer.ts';
import { type TrainOptions, train } from '../../src/api/train.ts';
import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import type { Source } from '../../src/data/source.ts';
import type { SteeringEvent, SteeringRequest } from '../../src/steering/event.ts';
import type { TrainResult } from '../../src/train/metrics.ts';
import { temporaryFolder } from './cli.ts';
import { stripes, tinyStripes } from './tiny-run.ts';

export const backend = referenceBackend();

/** Of tests that run beside each other, as most of their time is spent waiting: each has the time of all. */
export const besideOthers = { timeout: 240_000 };

/** The same, of which steps take so long that training does not end before it is steered. */
export const unhurriedBackend: Backend = {
  ...backend,
  async compile(...given) {
    const made = await backend.compile(...given);
    return {
      ...made,
      async run(...inputs) {
        await sleep(25);
        return made.run(...inputs);
      },
    };
  },
};

export const steps = 60;

/** Every step is logged and saved. */
export const steerable = {
  ...tinyStripes,
  train: { ...tinyStripes.train, steps, logEvery: 1, checkpointEvery: 1, keepCheckpoints: steps },
  loader: { workers: 1, prefetch: 1 },
} as const satisfies ConfigInput;

/** A source that takes its time until it is told not to: training does not end before it is steered. */
export interface UnhurriedSource {
  readonly source: Source;
  hurry(): void;
}

export function unhurried(source: Source = stripes()): UnhurriedSource {
  let isHurried = false;
  return {
    hurry: () => void (isHurried = true),
    source: {
      ...source,
      async read(...given) {
        if (!isHurried) await sleep(60);
        return source.read(...given);
      },
    },
  };
}

export interface Steered {
  readonly run: string;
  readonly result: TrainResult;
  readonly events: readonly SteeringEvent[];
  readonly notices: readonly string[];
}

/** Asks one thing after the other. */
export function asking(...requests: readonly SteeringRequest[]): (run: string) => Promise<SteeringEvent[]> {
  return async (run) => {
    const events: SteeringEvent[] = [];
    for (const request of requests) events.push(await steerRun(run, request));
    return events;
  };
}

/** Steps after which it is steered. */
const begun = 4;

/** Trains to the end, and steers on the way. */
export async function trainSteered(
  config: ConfigInput,
  steer: (run: string) => Promise<SteeringEvent[]>,
  options: TrainOptions = {},
): Promise<Steered> {
  const { source, hurry } = unhurried(options.source);
  const notices: string[] = [];
  const failed = new AbortController();
  let events: Promise<SteeringEvent[]> | undefined;
  let run = '';
  const result = await train(config, {
    runs: await temporaryFolder(),
    backend,
    ...options,
    signal: AbortSignal.any([failed.signal, ...(options.signal ? [options.signal] : [])]),
    source,
    onNotice: (text) => notices.push(text),
    onStart: (start) => void ({ run } = start),
    onStep: ({ step }) => {
      if (step < begun) return;
      events ??= steer(run).finally(hurry);
      // It may be paused.
      events.catch(() => failed.abort());
    },
  });
  return { run: result.run, result, events: await events!, notices };
}

/** A copy of a run's folder. */
export async function copyOf(run: string): Promise<string> {
  const copy = join(await temporaryFolder(), 'copy');
  await cp(run, copy, { recursive: true });
  return copy;
}
