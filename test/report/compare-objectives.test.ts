import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { type CompareObjectivesOptions, compareObjectives } from '../../src/report/compare-objectives.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { readRun } from '../../src/runs/run-folder.ts';
import type { Source } from '../../src/data/source.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointBytes, stripes, tinyStripes } from '../support/tiny-run.ts';

const config: ConfigInput = {
  ...tinyStripes,
  train: { ...tinyStripes.train, steps: 4, logEvery: 1 },
  flow: { timeSampling: { kind: 'logit-normal' }, lossWeighting: { kind: 'min-snr' } },
  sample: { sampler: 'heun', steps: 2, perClass: 2 },
};
const options = { source: stripes(), backend: referenceBackend(), evaluations: [2, 3], count: 6 };

describe('a comparison of rectified flow with DDPM', () => {
  it('trains both and tells distances, losses and samples at equal evaluations', async () => {
    const runs = await temporaryFolder();
    const seen: string[] = [];
    const compared = await compareObjectives(config, {
      ...options,
      runs,
      onProgress: (done, total) => seen.push(`${done}/${total}`),
    });
    expect(seen).toEqual(['1/4', '2/4', '3/4', '4/4']);
    const rows = compared.rows.map(({ objective, sampler, evaluations }) => [
      objective,
      sampler,
      evaluations,
    ]);
    expect(rows).toEqual([
      ['rectified-flow', 'euler', 2],
      ['rectified-flow', 'euler', 3],
      ['ddpm', 'ddim', 2],
      ['ddpm', 'ddim', 3],
    ]);
    for (const { distance, shown } of compared.rows) {
      expect(distance).toBeGreaterThan(0);
      expect(shown).toHaveLength(10 * 96);
    }
    expect(compared.dataDistance).toBeGreaterThan(0);
    expect(compared.count).toBe(6);
    for (const { losses } of compared.objectives) expect(losses.map(([step]) => step)).toEqual([1, 2, 3, 4]);
    // An untrained model says 0: the noise alone is 1 away.
    expect(compared.objectives[1]!.losses[0]![1]).toBeCloseTo(1, 0);

    const { files } = compared;
    const report = JSON.parse(await readFile(files.report, 'utf8')) as { rows: unknown[]; steps: number };
    expect(report.steps).toBe(4);
    expect(report.rows).toEqual(
      JSON.parse(JSON.stringify(compared.rows.map((row) => ({ ...row, shown: undefined })))),
    );
    expect(await readFile(files.losses, 'utf8')).toContain('Compare shapes, not heights');
    expect(await readFile(files.distances, 'utf8')).toContain('ddpm, ddim');
    const { width, height } = await sharp(files.samples!).metadata();
    expect(width).toBeGreaterThan(10 * 144);
    expect(height).toBeGreaterThan(4 * 96);
  });

  it('differs in the objective, and in its own times and weights, alone', async () => {
    const runs = await temporaryFolder();
    await compareObjectives(config, { ...options, runs });
    const [flow, ddpm] = await Promise.all(
      ['rectified-flow', 'ddpm'].map(
        async (kind) => (await readRun(join(runs, `stripes-${kind}`))).config as Record<string, unknown>,
      ),
    );
    expect(flow!['flow']).toMatchObject({
      timeSampling: { kind: 'logit-normal' },
      lossWeighting: { kind: 'min-snr' },
    });
    expect(ddpm!['flow']).toMatchObject({
      objective: { kind: 'ddpm', schedule: 'linear', timesteps: 1000 },
      timeSampling: { kind: 'uniform' },
      lossWeighting: { kind: 'none' },
    });
    const { name: _, flow: __, sample: ___, ...first } = flow!;
    expect(ddpm).toMatchObject(first);
  });

  it('goes on where it was stopped, and given again finds the same', async () => {
    const whole = await temporaryFolder();
    const runs = await temporaryFolder();
    const controller = new AbortController();
    const stopInTheSecond: CompareObjectivesOptions = {
      ...options,
      runs,
      signal: controller.signal,
      onStep: ({ step, loss }) => void (step === 2 && loss < 1.2 && controller.abort(new Error('enough'))),
    };
    await expect(compareObjectives(config, stopInTheSecond)).rejects.toThrow('enough');
    const compared = await compareObjectives(config, { ...options, runs });
    const again = await compareObjectives(config, { ...options, runs });
    expect(again.rows).toEqual(compared.rows);
    expect((await compareObjectives(config, { ...options, runs: whole })).rows).toEqual(compared.rows);
    for (const kind of ['rectified-flow', 'ddpm']) {
      const bytes = await checkpointBytes(join(runs, `stripes-${kind}`), 4);
      expect(bytes).toEqual(await checkpointBytes(join(whole, `stripes-${kind}`), 4));
    }
  });

  it('takes the schedule of a config that says DDPM, and models without classes', async () => {
    const runs = await temporaryFolder();
    const objective = { kind: 'ddpm', schedule: 'cosine', timesteps: 20 } as const;
    const free = { ...config, model: { ...tinyStripes.model, classes: 0 }, flow: { objective } };
    await compareObjectives(free, { ...options, runs });
    expect((await readRun(join(runs, 'stripes-ddpm'))).config).toMatchObject({ flow: { objective } });
    await expect(compareObjectives(free, { ...options, runs, evaluations: [5, 21] })).rejects.toThrow(
      'compare: evaluations must be whole numbers from 1 to 20, the timesteps, got 21',
    );
  });

  it('draws no picture of what is none', async () => {
    const latents: Source = { ...stripes(), record: { kind: 'latents', scale: 1, shift: 0 } };
    const { files } = await compareObjectives(config, {
      ...options,
      source: latents,
      runs: await temporaryFolder(),
    });
    expect(files.samples).toBeUndefined();
  });

  it('refuses runs of other settings', async () => {
    const runs = await temporaryFolder();
    await compareObjectives(config, { ...options, runs });
    await expect(compareObjectives({ ...config, seed: 1 }, { ...options, runs })).rejects.toThrow(
      'stripes-rectified-flow: holds a run with other settings than those to compare. Give the comparison another name',
    );
  });
});
