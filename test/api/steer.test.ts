// A run that is steered is one run: what was changed at a step is changed at that step whenever it is done again.
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { replay } from '../../src/api/replay.ts';
import { recordReproduction } from '../../src/api/repro.ts';
import { openRunModel } from '../../src/api/run-sampler.ts';
import { resume, train } from '../../src/api/train.ts';
import { describeRun } from '../../src/cli/info-run.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { steeringOfReproduction } from '../../src/known/known-steering.ts';
import { stepName } from '../../src/runs/checkpoint.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { readSteering, steeringEventsPath } from '../../src/runs/steering-events.ts';
import { temporaryFolder } from '../support/cli.ts';
import {
  type Steered,
  asking,
  backend,
  copyOf,
  steerable,
  steps,
  trainSteered,
} from '../support/steered-run.ts';
import { checkpointDigests, stripes } from '../support/tiny-run.ts';

/** Leaves of a run what a process leaves that is killed after `step` was saved. */
async function killedAfter(run: string, step: number): Promise<string> {
  const copy = await copyOf(run);
  for (let later = step + 1; later <= steps; later++)
    await rm(join(copy, 'checkpoints', stepName(later)), { recursive: true });
  return copy;
}

async function ratesOf(run: string): Promise<unknown[]> {
  const { records } = await readMetrics(join(run, 'metrics.jsonl'));
  return records.map(({ learningRate }) => learningRate);
}

const source = stripes();

describe('a run whose learning rate is changed while it trains', () => {
  let steered: Steered;
  let step: number;
  let plain: string;
  beforeAll(async () => {
    steered = await trainSteered(steerable, asking({ kind: 'set', settings: { learningRate: 1e-2 } }));
    step = steered.events[0]!.step;
    ({ run: plain } = await train(steerable, { runs: await temporaryFolder(), source, backend }));
  });

  it('is trained with it from the step after on', async () => {
    expect(steered.events).toMatchObject([
      { kind: 'set', settings: { learningRate: 1e-2 }, outcome: 'applied' },
    ]);
    expect(step).toBeGreaterThan(0);
    expect(step).toBeLessThan(steps);
    const [own, others] = [await ratesOf(steered.run), await ratesOf(plain)] as [number[], number[]];
    expect(own.slice(0, step)).toEqual(others.slice(0, step));
    own.slice(step).forEach((rate, i) => expect(rate).toBeCloseTo(10 * others[step + i]!, 7));
    expect(await readSteering(steered.run)).toEqual(steered.events);
    expect(steered.notices).toContain(`steered: from step ${step + 1} on learningRate 0.01.`);
    expect(await readFile(join(steered.run, 'notices.log'), 'utf8')).toContain(`step ${step}: steered:`);
  });

  it('has the bits of the plain run until then, and others after', async () => {
    const [own, others] = await Promise.all(
      [steered.run, plain].map(async (run) => ({
        before: await checkpointDigests(run, step),
        after: await checkpointDigests(run, step + 1),
      })),
    );
    expect(own!.before).toEqual(others!.before);
    expect(own!.after['model.safetensors']).not.toBe(others!.after['model.safetensors']);
  });

  it.each([
    ['before the step', -1],
    ['at the step, with nothing saved since', 0],
    ['after it', 1],
  ])('goes on to the same bits where it is killed %s', async (_, since) => {
    const copy = await killedAfter(steered.run, step + since);
    const notices: string[] = [];
    await resume(copy, { source, backend, onNotice: (text) => notices.push(text) });
    expect(await checkpointDigests(copy, steps)).toEqual(await checkpointDigests(steered.run, steps));
    expect(await ratesOf(copy)).toEqual(await ratesOf(steered.run));
    expect(await readSteering(copy)).toEqual(steered.events);
    const told = notices.filter((text) => text.includes('was steered'));
    expect(told).toEqual(since < 0 ? [] : [`${copy} was steered: it goes on with learningRate 0.01.`]);
    expect(notices.filter((text) => text.includes('differs'))).toEqual([]);
  });

  it('is not the same run without its events', async () => {
    const copy = await killedAfter(steered.run, step);
    await rm(steeringEventsPath(copy));
    await resume(copy, { source, backend });
    expect(await checkpointDigests(copy, steps)).toEqual(await checkpointDigests(plain, steps));
    const notices: string[] = [];
    const later = await killedAfter(steered.run, step + 2);
    await rm(steeringEventsPath(later));
    await resume(later, { source, backend, onNotice: (text) => notices.push(text) });
    expect(notices.join()).toContain('was steered, which events.jsonl does not tell: it goes on without.');
  });

  it('is replayed to the bit, around the step and from the beginning', async () => {
    const copy = await copyOf(steered.run);
    const replayed = async (last: number): Promise<void> => {
      const { steps: done } = await replay(copy, step - 1, last, { source, backend });
      expect(done.filter(({ isEqual }) => !isEqual)).toEqual([]);
      expect(done).toHaveLength(last - step + 2);
    };
    await replayed(step + 3);
    await rm(join(copy, 'checkpoints'), { recursive: true });
    await replayed(steps);
  });

  it('has a file of events that a crash may cut, and nobody else', async () => {
    const copy = await killedAfter(steered.run, step);
    const path = steeringEventsPath(copy);
    const whole = await readFile(path, 'utf8');
    await writeFile(path, `${whole}{"id":"cut`);
    expect(await readSteering(copy)).toEqual(steered.events);
    await writeFile(path, `${whole.slice(0, -9)}\n${whole}`);
    await expect(resume(copy, { source, backend })).rejects.toThrow(
      `${path}, line 1: is no event of a run that was steered. Restore it from a backup, or remove the line`,
    );
  });

  it('is told by info, is written down by repro, and becomes the same when it is trained from that', async () => {
    expect((await describeRun(steered.run)).join('\n')).toContain(
      `  steered      from step ${step + 1} on learningRate 0.01`,
    );
    const record = await recordReproduction(steered.run, { source });
    expect(record.steering).toEqual(steered.events);
    const file = join(await temporaryFolder(), 'run.repro.json');
    await writeFile(file, JSON.stringify(record));
    const { config } = await loadConfig(file);
    const steering = await steeringOfReproduction(file);
    const again = await train(config, { runs: await temporaryFolder(), source, backend, steering });
    expect(await checkpointDigests(again.run, steps)).toEqual(await checkpointDigests(steered.run, steps));
    expect(await readSteering(again.run)).toEqual(steered.events);
    await writeFile(file, JSON.stringify({ ...record, steering: [{ step: 1 }] }));
    await expect(steeringOfReproduction(file)).rejects.toThrow('steering.0 is no event');
    expect(await steeringOfReproduction('digits')).toEqual([]);
  });

  it('is sampled as its grids are by then, and as they were at a checkpoint before', async () => {
    const copy = await copyOf(steered.run);
    const event = { ...steered.events[0]!, settings: { sample: { steps: 3, labels: [1] } } };
    await writeFile(steeringEventsPath(copy), `${JSON.stringify(event)}\n`);
    const settingsOf = async (checkpoint: number): Promise<unknown> =>
      (await openRunModel(copy, { checkpoint })).config.sample;
    expect(await settingsOf(step)).toMatchObject({ steps: 3, labels: [1] });
    expect(await settingsOf(step - 1)).toMatchObject({ steps: 2, labels: [0, 1, 2] });
  });

  it('leaves no request behind', async () => {
    expect(await readdir(join(steered.run, 'steering'))).toEqual([]);
  });
});
