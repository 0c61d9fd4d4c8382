// What a run does when it is asked to, and what it says when it cannot.
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { steerRun } from '../../src/api/steer.ts';
import { resume, train } from '../../src/api/train.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { listCheckpoints } from '../../src/runs/checkpoint.ts';
import { seeHolder } from '../../src/runs/holder.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { readSteering } from '../../src/runs/steering-events.ts';
import { isMarkedPaused, steeringFolder, writeRequest } from '../../src/runs/steering-requests.ts';
import type { SteeringEvent, SteeringRequest } from '../../src/steering/event.ts';
import { temporaryFolder } from '../support/cli.ts';
import {
  type Steered,
  asking,
  backend,
  besideOthers,
  steerable,
  steps,
  trainSteered,
} from '../support/steered-run.ts';
import { slowDevice } from '../support/slow-device.ts';
import { checkpointDigests, stripes } from '../support/tiny-run.ts';

const source = stripes();

/** Saves at its end alone. */
const unsaved = {
  ...steerable,
  train: { ...steerable.train, checkpointEvery: 0 },
} satisfies ConfigInput;

async function lastStep(run: string): Promise<number> {
  return (await readMetrics(join(run, 'metrics.jsonl'))).records.at(-1)!.step;
}

async function checkpointsOf(run: string): Promise<number[]> {
  return listCheckpoints(join(run, 'checkpoints'));
}

let plain: string;
beforeAll(async () => {
  ({ run: plain } = await train(unsaved, { runs: await temporaryFolder(), source, backend }));
});

const changing = (settings: object): SteeringRequest => ({ kind: 'set', settings }) as SteeringRequest;

describe.concurrent('a run that is asked', besideOthers, () => {
  it.each([
    ['that waits for each step', () => backend],
    ['that runs ahead', () => slowDevice().backend],
  ])(
    'to pause waits before the next step, and goes on to the same bits, on a device %s',
    async (_, device) => {
      const paused: number[] = [];
      const { run, events } = await trainSteered(
        unsaved,
        async (path) => {
          const pause = await steerRun(path, { kind: 'pause' });
          expect(await isMarkedPaused(path)).toBe(true);
          await sleep(300);
          paused.push(pause.step, await lastStep(path));
          const save = await steerRun(path, { kind: 'save' });
          while ((await checkpointsOf(path)).length === 0) await sleep(20);
          paused.push(await lastStep(path), (await checkpointsOf(path)).at(-1)!);
          return [pause, save, await steerRun(path, { kind: 'goOn' })];
        },
        { backend: device() },
      );
      const { step } = events[0]!;
      expect(paused).toEqual([step, step, step, step]);
      expect(events.map((event) => event.step)).toEqual([step, step, step]);
      expect(await isMarkedPaused(run)).toBe(false);
      expect(await checkpointDigests(run, steps)).toEqual(await checkpointDigests(plain, steps));
    },
  );

  it('to stop finishes the step and saves, also where it is paused', async () => {
    const { run, result, events } = await trainSteered(unsaved, asking({ kind: 'pause' }, { kind: 'stop' }));
    const { step } = events[0]!;
    expect(result).toMatchObject({ finished: false, step });
    expect(await checkpointsOf(run)).toEqual([step]);
    expect(await readdir(steeringFolder(run))).toEqual([]);
    const { finished } = await resume(run, { source, backend });
    expect(finished).toBe(true);
    expect(await checkpointDigests(run, steps)).toEqual(await checkpointDigests(plain, steps));
  });

  it('while it is paused hears the signal too', async () => {
    const controller = new AbortController();
    const { result, events } = await trainSteered(
      unsaved,
      async (path) => {
        const done = await asking({ kind: 'pause' })(path);
        controller.abort();
        return done;
      },
      { signal: controller.signal },
    );
    expect(result).toMatchObject({ finished: false, step: events[0]!.step });
  });

  it('to save does so after that step, and to save more often does so from then on', async () => {
    const { run, events } = await trainSteered(
      { ...unsaved, train: { ...unsaved.train, keepEvery: 1 } },
      asking({ kind: 'save' }, changing({ checkpointEvery: 10, logEvery: 10 })),
    );
    const [save, set] = events.map(({ step }) => step) as [number, number];
    const tens = [10, 20, 30, 40, 50, 60].filter((each) => each > set);
    expect(await checkpointsOf(run)).toEqual([save, ...tens]);
    const { records } = await readMetrics(join(run, 'metrics.jsonl'));
    expect(records.map(({ step }) => step).filter((each) => each > set)).toEqual(tens);
    expect(await checkpointDigests(run, steps)).toEqual(await checkpointDigests(plain, steps));
  });

  it('by two at once does both', async () => {
    const { run, events } = await trainSteered(unsaved, (path) =>
      Promise.all([
        steerRun(path, changing({ learningRate: 1e-2 })),
        steerRun(path, changing({ logEvery: 2 })),
        steerRun(path, changing({ learningRate: -1 })),
      ]),
    );
    expect(events.map(({ outcome }) => outcome)).toEqual(['applied', 'applied', 'refused']);
    expect(new Set((await readSteering(run)).map(({ id }) => id))).toEqual(
      new Set(events.map(({ id }) => id)),
    );
    expect(await readSteering(run)).toHaveLength(3);
  });

  it('for other samples shows them from then on', async () => {
    const config = {
      ...unsaved,
      train: { ...unsaved.train, sampleEvery: 0 },
      sample: { steps: 1, perClass: 1 },
    };
    const { run, events } = await trainSteered(
      config,
      asking(
        changing({ sampleEvery: steps / 2, sample: { labels: [2, 0], guidance: 3, steps: 2, seed: 7 } }),
      ),
    );
    const same = { ...config, sample: { ...config.sample, labels: [2, 0], guidance: 3, steps: 2, seed: 7 } };
    const { run: other } = await train(same, { runs: await temporaryFolder(), source, backend });
    const picture = (of: string): Promise<Buffer> => readFile(join(of, 'samples', 'step-0000060.png'));
    expect(events[0]).toMatchObject({ outcome: 'applied' });
    expect((await picture(run)).equals(await picture(other))).toBe(true);
    expect((await picture(run)).equals(await picture(plain))).toBe(false);
    expect(await checkpointDigests(run, steps)).toEqual(await checkpointDigests(plain, steps));
  });
});

describe('a request that is wrong', () => {
  const wrong: readonly (readonly [what: string, request: unknown, sentence: string])[] = [
    ['a rate that is none', changing({ learningRate: 0 }), 'learningRate: wanted a number above 0, found 0'],
    [
      'a setting there is not',
      changing({ learningrate: 1 }),
      'learningrate: no such setting. Did you mean "learningRate"?',
    ],
    ['one that cannot be steered', changing({ batchSize: 1 }), 'batchSize: no such setting'],
    ['nothing', changing({}), 'settings: wanted at least one of them'],
    [
      'a class there is not',
      changing({ sample: { labels: [3] } }),
      'sample.labels.0: wanted a label below 3',
    ],
    ['captions for classes', changing({ sample: { prompts: ['x'] } }), 'sample.prompts: wanted no captions'],
    ['a sampler of another objective', changing({ sample: { sampler: 'ddim' } }), 'sample.sampler: wanted'],
    ['a larger grid', changing({ sample: { perClass: 9 } }), 'sample.perClass: no such setting'],
    ['another kind', { kind: 'explode' }, 'wanted one of pause, goOn, save, stop, set'],
    ['no request', 7, 'steering: settings: wanted'],
  ];
  let asked: Steered;
  beforeAll(async () => {
    asked = await trainSteered(unsaved, async (run) =>
      Promise.all(wrong.map(([, request]) => steerRun(run, request as SteeringRequest))),
    );
  });

  it.each(wrong.map(([what, , sentence], i) => ({ what, sentence, i })))(
    'is refused with a sentence: $what',
    ({ sentence, i }) => {
      expect(asked.events[i]).toMatchObject({ outcome: 'refused' });
      expect(asked.events[i]!.sentence).toContain(sentence);
    },
  );

  it('is recorded, and changes nothing', async () => {
    const byId = (events: readonly SteeringEvent[]): SteeringEvent[] =>
      events.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect(byId(await readSteering(asked.run))).toEqual(byId(asked.events));
    expect(await checkpointDigests(asked.run, steps)).toEqual(await checkpointDigests(plain, steps));
  });
});

describe.concurrent('a request that nobody takes', besideOthers, () => {
  it('is an error where no process trains the run', async () => {
    await expect(steerRun(plain, { kind: 'pause' })).rejects.toThrow(
      `${plain}: no process trains it. Nothing was done. Go on with it (rectiflow resume ${plain}), and ask again`,
    );
    await expect(steerRun(join(plain, 'none'), { kind: 'pause' })).rejects.toThrow('is no run');
  });

  it('is withdrawn after the time, or at the signal', async () => {
    const run = await temporaryFolder();
    await writeFile(join(run, 'config.json'), await readFile(join(plain, 'config.json')));
    const { lockRun } = await import('../../src/runs/lock.ts');
    const lock = await lockRun(run);
    try {
      await expect(steerRun(run, { kind: 'pause' }, { timeout: 0 })).rejects.toThrow(
        `process ${process.pid} on`,
      );
      const controller = new AbortController();
      const asked = steerRun(run, { kind: 'pause' }, { signal: controller.signal });
      controller.abort();
      await expect(asked).rejects.toThrow('aborted');
      expect(await readdir(steeringFolder(run))).toEqual([]);
      const late = steerRun(run, { kind: 'pause' });
      while ((await readdir(steeringFolder(run))).length === 0) await sleep(10);
      await Promise.all([lock.release(), expect(late).rejects.toThrow('training ended before it took')]);
      expect(await readdir(steeringFolder(run))).toEqual([]);
    } finally {
      await lock.release();
    }
  });

  it('has no effect on a process that begins later', async () => {
    const { run, result } = await trainSteered(unsaved, asking({ kind: 'stop' }));
    expect(result.finished).toBe(false);
    await writeRequest(run, 'another', { kind: 'stop' });
    await writeFile(join(steeringFolder(run), 'abc.taken'), '');
    const { finished } = await resume(run, { source, backend });
    expect(finished).toBe(true);
    expect(await readdir(steeringFolder(run))).toEqual([]);
    expect(await readSteering(run)).toHaveLength(1);
  });

  it('is done once where the process ended before it could take the file away', async () => {
    let id = '';
    const { run } = await trainSteered(unsaved, async (path) => {
      const [event] = await asking({ kind: 'save' })(path);
      const { owner } = (await seeHolder(path, await readdir(path))).record!;
      // The same request again, as it stood there before.
      const file = join(steeringFolder(path), `${event!.id}.json`);
      await writeFile(file, JSON.stringify({ to: owner, asked: { kind: 'stop' } }));
      id = event!.id;
      while ((await readdir(steeringFolder(path))).length > 0) await sleep(20);
      return [event!];
    });
    expect((await readSteering(run)).map((event) => event.id)).toEqual([id]);
    expect(await lastStep(run)).toBe(steps);
  });
});
