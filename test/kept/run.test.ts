// A run that was trained without a disk, and the command line that goes on with it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recordReproduction } from '../../src/api/repro.ts';
import { replay } from '../../src/api/replay.ts';
import { sample } from '../../src/api/sample.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { describeRun } from '../../src/cli/info-run.ts';
import type { ConfigInput, RunConfig } from '../../src/config/config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { MemoryFolder } from '../../src/kept/folder.ts';
import { KeptRun } from '../../src/kept/run.ts';
import { isEdited } from '../../src/kept/record.ts';
import { knownToRun } from '../../src/known/known-data.ts';
import { openArray } from '../../src/sources/array-source.ts';
import { locatedData } from '../../src/sources/in-run.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { readRun } from '../../src/runs/run-folder.ts';
import { verifyCheckpoint } from '../../src/runs/checkpoint.ts';
import type { StepMetrics } from '../../src/train/metrics.ts';
import { temporaryFolder } from '../support/cli.ts';
import { configOf, here, pictures, trainKept } from '../support/kept-run.ts';
import { toDisk } from '../support/kept-to-disk.ts';
import { checkpointBytes } from '../support/tiny-run.ts';

const backend = referenceBackend();

async function begun(until: number): Promise<{ folder: MemoryFolder; run: KeptRun }> {
  const folder = new MemoryFolder('kept');
  const data = pictures();
  const run = await KeptRun.create(folder, { config: configOf(data), data, ...here });
  await trainKept(run, until);
  return { folder, run };
}

async function onDisk(folder: MemoryFolder): Promise<string> {
  return toDisk(folder, join(await temporaryFolder(), 'kept'));
}

describe('a run that is kept without a disk', () => {
  it('has a config that is resolved, with the defaults of every setting', () => {
    const config: RunConfig = configOf(pictures());
    expect(resolveConfig(config as ConfigInput)).toEqual(config);
  });

  it(
    'is gone on with by the command line, to the bit of an undisturbed one',
    { timeout: 60_000 },
    async () => {
      const { folder } = await begun(6);
      const run = await onDisk(folder);
      const notices: string[] = [];
      const { finished } = await resume(run, { backend, onNotice: (text) => notices.push(text) });
      expect(finished).toBe(true);
      expect(notices).toEqual([]);
      const { folder: whole } = await begun(12);
      const undisturbed = await onDisk(whole);
      expect(await checkpointBytes(run, 12)).toEqual(await checkpointBytes(undisturbed, 12));
      const losses = async (of: string): Promise<unknown> =>
        (await readMetrics(join(of, 'metrics.jsonl'))).records.map(({ step, loss, heldOutLoss }) => [
          step,
          loss,
          heldOutLoss,
        ]);
      expect(await losses(run)).toHaveLength(12);
      expect(await losses(run)).toEqual(await losses(undisturbed));
    },
  );

  it('is trained as by the command line, whose files it has byte by byte', { timeout: 60_000 }, async () => {
    const { folder } = await begun(12);
    const run = await onDisk(folder);
    const record = await readRun(run);
    expect(record).toMatchObject({ version: '0.1.0', machine: here.machine });
    expect(await isEdited(record)).toBe(false);
    const config = record.config as ConfigInput;
    const data = locatedData(config.data as RunConfig['data'], run);
    const runs = await temporaryFolder();
    const { run: other } = await train({ ...config, data } as ConfigInput, { runs, backend });
    expect(await checkpointBytes(run, 12)).toEqual(await checkpointBytes(other, 12));
    const [kept, wanted] = await Promise.all(
      [run, other].map(async (of) => (await verifyCheckpoint(join(of, 'checkpoints/step-0000012'))).state),
    );
    const withoutPlaces = (state: Readonly<Record<string, unknown>>): unknown => {
      const { seconds: _, trainedWith: __, ...others } = state;
      return others;
    };
    expect(withoutPlaces(kept!)).toEqual(withoutPlaces(wanted!));
    expect(Object.keys(kept!)).toEqual(Object.keys(wanted!));
  });

  it('is sampled, replayed, recorded and described by the command line', { timeout: 60_000 }, async () => {
    const { folder } = await begun(6);
    const run = await onDisk(folder);
    const samples = await sample(run, { labels: [0, 1], count: 1, steps: 2, backend });
    expect(samples.values).toHaveLength(2 * 64);
    const { steps } = await replay(run, 2, 5, { backend });
    expect(steps.map(({ isEqual }) => isEqual)).toEqual([true, true, true, true]);
    const notices: string[] = [];
    const recorded = await recordReproduction(run, { onNotice: (text) => notices.push(text) });
    expect(notices).toEqual([]);
    expect(recorded.data).toMatchObject({ count: 14 });
    expect((await describeRun(run)).join('\n')).toContain('6 of 12');
  });

  it('lets messages have their turn after each line of its log, and tells which steps have a picture', async () => {
    const { run } = await begun(12);
    expect(await run.pictureSteps()).toEqual([6, 12]);
    const log = await run.log(12);
    let isTold = false;
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => (isTold = true), { once: true });
    port1.start();
    port2.postMessage('stop');
    await log.append({ step: 13 } as unknown as StepMetrics);
    port1.close();
    expect(isTold).toBe(true);
  });

  it('knows its data as the command line does: number, names, fingerprint', async () => {
    const { folder } = await begun(3);
    const run = await onDisk(folder);
    const { config } = await readRun(run);
    const source = await openArray(locatedData((config as RunConfig).data, run) as never);
    const data = pictures();
    expect(await source.fingerprint!()).toBe(await data.source.fingerprint!());
    expect((await knownToRun(run))!.state['data']).toMatchObject({
      classes: 2,
      classNames: ['dark', 'bright'],
      count: 14,
      heldOut: 2,
      fingerprint: await source.fingerprint!(),
    });
    const [mine, its] = [new Float32Array(64), new Float32Array(64)];
    for (let i = 0; i < 14; i++) {
      const key = { seed: 0, epoch: 0 };
      expect(await data.source.read(i, mine, 0, key)).toEqual(await source.read(i, its, 0, key));
      expect(mine).toEqual(its);
    }
    await source.close?.();
  });

  it('goes on where it is, with its log', { timeout: 60_000 }, async () => {
    const { folder } = await begun(5);
    const run = await KeptRun.open(folder);
    expect(await trainKept(run, 12)).toEqual([]);
    const { folder: whole, run: undisturbed } = await begun(12);
    const [a, b] = [await onDisk(folder), await onDisk(whole)];
    expect(await checkpointBytes(a, 12)).toEqual(await checkpointBytes(b, 12));
    expect((await run.metrics()).map(({ step }) => step)).toEqual(
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
    expect((await run.metrics()).map(({ loss }) => loss)).toEqual(
      (await undisturbed.metrics()).map(({ loss }) => loss),
    );
    expect(await run.picture(6)).toHaveLength(8);
    expect(await run.picture(5)).toBeUndefined();
    expect(await readFile(join(a, 'samples/step-0000012.png'))).toHaveLength(8);
  });
});
