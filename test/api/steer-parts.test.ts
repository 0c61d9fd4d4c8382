// Steering of runs that several ranks train, that have stages, and that go back.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { replay } from '../../src/api/replay.ts';
import { steerRun } from '../../src/api/steer.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import type { Source } from '../../src/data/source.ts';
import { listCheckpoints, stepName } from '../../src/runs/checkpoint.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { readSteering } from '../../src/runs/steering-events.ts';
import type { SteeringEvent } from '../../src/steering/event.ts';
import type { TrainResult } from '../../src/train/metrics.ts';
import { spoilt } from '../support/bad-data.ts';
import { temporaryFolder } from '../support/cli.ts';
import { pictureFolder } from '../support/picture-folder.ts';
import { onRanks } from '../support/ranks.ts';
import {
  asking,
  backend,
  besideOthers,
  copyOf,
  steerable,
  steps,
  trainSteered,
  unhurried,
  unhurriedBackend,
} from '../support/steered-run.ts';
import { pictures, tinyAutoencoder } from '../support/tiny-autoencoder.ts';
import { checkpointDigests, stripes } from '../support/tiny-run.ts';

const few = 20;
const autoencoder = { ...tinyAutoencoder, train: { ...steerable.train, steps: few } };

const faster = { kind: 'set', settings: { learningRate: 1e-2 } } as const;

async function ratesOf(run: string): Promise<number[]> {
  const { records } = await readMetrics(join(run, 'metrics.jsonl'));
  return records.map(({ learningRate }) => learningRate as number);
}

/** As a kill leaves it. */
async function cutAfter(run: string, step: number): Promise<string> {
  const copy = await copyOf(run);
  const folder = join(copy, 'checkpoints');
  for (const later of await listCheckpoints(folder))
    if (later > step) await rm(join(folder, stepName(later)), { recursive: true });
  return copy;
}

describe.concurrent('a run of two ranks', besideOthers, () => {
  const config: ConfigInput = { ...steerable, train: { ...steerable.train, batchSize: 8, shards: 2 } };

  async function onTwo(
    steer: (run: string) => Promise<SteeringEvent[]>,
  ): Promise<{ results: TrainResult[]; events: SteeringEvent[] }> {
    const sources = [unhurried(), unhurried()];
    const runs = await temporaryFolder();
    let events: Promise<SteeringEvent[]> | undefined;
    let run = '';
    const results = await onRanks(2, async (communicator) => {
      const { source } = sources[communicator.rank]!;
      return train(config, {
        runs,
        communicator,
        source,
        backend: referenceBackend(),
        onStart: (start) => void ({ run } = start),
        onStep: ({ step }) => {
          if (step < 4) return;
          events ??= steer(run).finally(() => sources.forEach(({ hurry }) => hurry()));
          events.catch(() => {});
        },
      });
    });
    return { results, events: await events! };
  }

  it('is changed after the same step on both, paused and saved, and has the bits of one process', async () => {
    const { results, events } = await onTwo(async (run) => {
      const first = await asking(faster, { kind: 'pause' }, { kind: 'save' })(run);
      const { records } = await readMetrics(join(run, 'metrics.jsonl'));
      expect(records.at(-1)!.step).toBe(first[1]!.step);
      return [...first, await steerRun(run, { kind: 'goOn' })];
    });
    expect(results.map(({ step, finished }) => [step, finished])).toEqual([
      [steps, true],
      [steps, true],
    ]);
    expect(events.map(({ outcome }) => outcome)).toEqual(['applied', 'applied', 'applied', 'applied']);
    const { run } = results[0]!;
    const alone = await cutAfter(run, 3);
    await resume(alone, { source: stripes(), backend });
    expect(await ratesOf(alone)).toEqual(await ratesOf(run));
    expect(await checkpointDigests(alone, steps)).toEqual(await checkpointDigests(run, steps));
  });

  it('stops on both', async () => {
    const { results, events } = await onTwo(asking({ kind: 'pause' }, { kind: 'stop' }));
    const { step } = events[0]!;
    expect(results.map((each) => [each.step, each.finished])).toEqual([
      [step, false],
      [step, false],
    ]);
  });
});

describe.concurrent.each<[string, ConfigInput, () => Source, number]>([
  ['of DDPM', { ...steerable, flow: { objective: { kind: 'ddpm' } } }, stripes, steps],
  ['of an autoencoder', { ...autoencoder, loader: steerable.loader }, pictures, few],
])('a run %s', besideOthers, (_, config, source, last) => {
  it('is the same where it is killed after it was changed', async () => {
    const { run, events } = await trainSteered(config, asking(faster), { source: source() });
    const copy = await cutAfter(run, events[0]!.step);
    await resume(copy, { source: source(), backend });
    expect(await ratesOf(copy)).toEqual(await ratesOf(run));
    expect(await checkpointDigests(copy, last)).toEqual(await checkpointDigests(run, last));
  });
});

describe.concurrent('a run of stages', besideOthers, () => {
  it('keeps what was changed to its end, and is replayed over its stages', async () => {
    const staged: ConfigInput = {
      name: 'staged',
      data: { source: 'folder', path: await pictureFolder(), channels: 1, size: 16 },
      model: { width: 16, depth: 1, heads: 2, patchSize: 4 },
      stages: [{ imageSize: 8, patchSize: 2, steps: 60, learningRate: 2e-3 }, { steps: 6 }],
      train: { batchSize: 4, logEvery: 1, sampleEvery: 0, checkpointEvery: 20, keepCheckpoints: 9 },
      optimizer: { learningRate: 1e-3, warmupSteps: 0, decay: 'constant' },
      sample: { steps: 1, perClass: 1 },
      loader: { workers: 1, prefetch: 1 },
    };
    let events: Promise<SteeringEvent[]> | undefined;
    let run = '';
    await train(staged, {
      runs: await temporaryFolder(),
      backend: unhurriedBackend,
      onStart: (start) => void ({ run } = start),
      onStep: ({ step }) => void (step === 4 && (events = asking(faster)(run))),
    });
    const { step, outcome } = (await events!)[0]!;
    expect(outcome).toBe('applied');
    const rates = await ratesOf(run);
    const own = (done: number): number => (done <= 60 ? 2e-3 : 1e-3);
    rates.slice(0, step).forEach((rate, i) => expect(rate).toBeCloseTo(own(i + 1), 6));
    rates.slice(step, 60).forEach((rate) => expect(rate).toBeCloseTo(1e-2, 6));
    expect(rates.at(-1)).toBeCloseTo(1e-2, 6);
    const { steps: done } = await replay(run, 1, 66, { backend });
    expect(done).toHaveLength(66);
    expect(done.filter(({ isEqual }) => !isEqual)).toEqual([]);
    const copy = await cutAfter(run, 20);
    await resume(copy, { backend });
    expect(await checkpointDigests(copy, 66)).toEqual(await checkpointDigests(run, 66));
  });
});

describe.concurrent('a run that goes back to a checkpoint', besideOthers, () => {
  it('keeps what was changed since, and says so', async () => {
    const config: ConfigInput = {
      ...steerable,
      optimizer: { learningRate: 1e-3, warmupSteps: 0, decay: 'constant' },
      train: {
        ...steerable.train,
        checkpointEvery: 0,
        badSteps: { rollBackAfter: 2, window: 5 },
      },
    };
    // The batches after which it goes back are far behind the step at which it is steered.
    const source = spoilt(stripes(), [50, 51]);
    const { run, events, notices } = await trainSteered(config, asking({ kind: 'save' }, faster), { source });
    const [saved, changed] = events as [SteeringEvent, SteeringEvent];
    expect(changed.step).toBeGreaterThan(saved.step);
    expect(changed.step).toBeLessThan(49);
    expect(notices.join('\n')).toContain(`to the checkpoint of step ${saved.step}`);
    const recorded = await readSteering(run);
    expect(recorded.slice(0, 2)).toEqual(events);
    expect(recorded[2]).toMatchObject({
      step: saved.step,
      kind: 'set',
      settings: { learningRate: 1e-2 },
      sentence: 'Training went back from step 51, and what was changed until then holds on.',
    });
    const rates = await ratesOf(run);
    expect(rates.slice(saved.step)).toEqual(rates.slice(saved.step).map(() => rates.at(-1)));
    expect(rates[saved.step - 1]).not.toBe(rates.at(-1));
  });
});
