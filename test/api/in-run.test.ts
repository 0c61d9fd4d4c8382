// A run that has its data in its folder is used wherever the folder lies.
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkData } from '../../src/api/data.ts';
import { growRun } from '../../src/api/grow/run.ts';
import { replay } from '../../src/api/replay.ts';
import { recordReproduction } from '../../src/api/repro.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { ParsedConfig } from '../../src/config/resolve-config.ts';
import { readRun } from '../../src/runs/run-folder.ts';
import { temporaryFolder } from '../support/cli.ts';
import { npy } from '../support/npy.ts';

const backend = referenceBackend();
const inRun = { source: 'array', path: 'data/images.npy', labels: 'data/labels.npy', inRun: true } as const;
let made: string;

beforeAll(async () => {
  const folder = await temporaryFolder();
  const images = Uint8Array.from({ length: 6 * 16 }, (_, i) => (i * 37) % 256);
  await writeFile(join(folder, 'images.npy'), npy('|u1', [6, 1, 4, 4], images));
  await writeFile(join(folder, 'labels.npy'), npy('<i4', [6], Int32Array.from([0, 1, 0, 1, 0, 1])));
  const config: ConfigInput = {
    name: 'kept',
    data: { source: 'array', path: join(folder, 'images.npy'), labels: join(folder, 'labels.npy') },
    model: { width: 16, depth: 1, heads: 2, patchSize: 2 },
    train: { steps: 4, batchSize: 3, logEvery: 1, sampleEvery: 0, checkpointEvery: 2 },
    sample: { steps: 1, perClass: 1 },
  };
  const controller = new AbortController();
  const onStep = ({ step }: { step: number }): void => {
    if (step === 2) controller.abort();
  };
  const { signal } = controller;
  made = (await train(config, { runs: join(folder, 'runs'), backend, signal, onStep })).run;
  await mkdir(join(made, 'data'));
  for (const name of ['images.npy', 'labels.npy'])
    await cp(join(folder, name), join(made, 'data', name)).then(() => rm(join(folder, name)));
  const file = join(made, 'config.json');
  const record = JSON.parse(await readFile(file, 'utf8')) as { config: { data: object } };
  const { path: _, labels: __, ...data } = record.config.data as Record<string, unknown>;
  await writeFile(
    file,
    JSON.stringify({ ...record, config: { ...record.config, data: { ...data, ...inRun } } }),
  );
});

async function moved(): Promise<string> {
  const run = join(await temporaryFolder(), 'elsewhere');
  await cp(made, run, { recursive: true });
  return run;
}

describe('a run with its data in its folder', () => {
  it('goes on, also where no checkpoint is left, and says in config.json what it said', async () => {
    const run = await moved();
    expect(await resume(run, { backend })).toMatchObject({ finished: true });
    const again = await moved();
    await rm(join(again, 'checkpoints'), { recursive: true });
    expect(await resume(again, { backend })).toMatchObject({ finished: true });
    expect((await readRun(again)).config).toMatchObject({ data: inRun });
  });

  it('is replayed, recorded, grown, and its settings train anew', async () => {
    const run = await moved();
    const { steps } = await replay(run, 1, 2, { backend });
    expect(steps.map(({ isEqual }) => isEqual)).toEqual([true, true]);
    const { data, config } = await recordReproduction(run);
    expect(data).toMatchObject({ count: 6 });
    expect(config.data).toMatchObject({
      path: join(run, 'data/images.npy'),
      labels: join(run, 'data/labels.npy'),
    });
    expect(config.data).not.toHaveProperty('inRun');
    const grown = await growRun(run, { runs: await temporaryFolder(), patchSize: 1, backend });
    expect(grown.config.data).toMatchObject({ path: join(run, 'data/images.npy') });
    const { parsed } = await loadConfig(join(run, 'config.json'));
    expect(await checkData(parsed)).toMatchObject({ count: 6 });
  });

  it('is refused where no run is named, or where its paths lead out of it', async () => {
    await expect(checkData({ data: inRun })).rejects.toThrow(
      'data.inRun: data/images.npy is in the folder of a run, and none is named. Name the run, or leave inRun out and give paths',
    );
    for (const path of [
      '../images.npy',
      '/etc/images.npy',
      'a/../../b.npy',
      'C:\\images.npy',
      '~/images.npy',
    ])
      expect(() => ParsedConfig.of({ data: { ...inRun, path } }).data).toThrow(
        `data.path: wanted a path below the run's folder (data.inRun), found ${JSON.stringify(path)}`,
      );
    expect(() => ParsedConfig.of({ data: { ...inRun, captions: '/etc/passwd' } }).data).toThrow(
      `data.captions: wanted a path below the run's folder (data.inRun), found "/etc/passwd"`,
    );
    const run = await moved();
    const file = join(run, 'config.json');
    await writeFile(file, (await readFile(file, 'utf8')).replace('data/labels.npy', '../labels.npy'));
    await expect(loadConfig(file)).rejects.toThrow("data.labels: wanted a path below the run's folder");
    await expect(resume(run, { backend })).rejects.toThrow(
      "data.labels: wanted a path below the run's folder",
    );
  });
});
