import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { Check } from '../../../src/api/doctor/check.ts';
import { type DiagnoseOptions, diagnose } from '../../../src/api/doctor/diagnose.ts';
import { lookForGpu } from '../../../src/backends/node-gpu.ts';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import type { Source } from '../../../src/data/source.ts';
import { dataError } from '../../../src/tensor/errors.ts';
import type { ConfigInput } from '../../../src/config/config.ts';
import { rectiflow, temporaryFolder } from '../../support/cli.ts';
import { changed, greys, toBytes } from '../../support/greys.ts';
import { slowDevice } from '../../support/slow-device.ts';
import { tinyStripes } from '../../support/tiny-run.ts';

vi.mock('../../../src/backends/node-gpu.ts', { spy: true });

const config: ConfigInput = {
  ...tinyStripes,
  train: { steps: 1000, batchSize: 8 },
  optimizer: { learningRate: 1e-3 },
  backend: { threads: 1 },
};

async function check(
  source: Source,
  changes: ConfigInput = {},
  options: DiagnoseOptions = {},
): Promise<Check[]> {
  return diagnose({ ...config, ...changes }, { source, ...options });
}

const problems = (checks: readonly Check[]): string[] =>
  checks.filter(({ status }) => status === 'fail').map(({ name, text }) => `${name}: ${text}`);

describe('the doctor', () => {
  it('finds nothing wrong with a healthy training, tells each check as it is made, and writes nothing', async () => {
    const runs = join(await temporaryFolder(), 'runs');
    const told: Check[] = [];
    const progress = new Set<string>();
    const checks = await check(
      greys(),
      {},
      { runs, onCheck: (found) => told.push(found), onProgress: (what) => progress.add(what) },
    );
    expect(problems(checks)).toEqual([]);
    expect(told).toEqual(checks);
    expect([...progress]).toEqual(['reading samples', 'training on one batch']);
    expect(new Set(checks.map(({ name }) => name))).toEqual(
      new Set([
        'node',
        'kernels',
        'instructions',
        'threads',
        'memory',
        'disk',
        'learning rate',
        'average',
        'data',
        'told',
        'values',
        'one batch',
        'time',
      ]),
    );
    expect(checks.at(-1)!.text).toMatch(/^[\d.]+ ms per step, so 1,000 steps take about \d+ s, /);
    expect(await readdir(join(runs, '..'))).toEqual([]);
  });

  it('waits for a device that takes a step before the last one is done', async () => {
    const { backend } = slowDevice();
    const checks = await check(greys(), {}, { backend });
    expect(problems(checks)).toEqual([]);
    expect(checks.map(({ name }) => name)).toContain('one batch');
  });

  it('says what GPU there is where the config leaves that open, and stops where it asks for one that is not there', async () => {
    const gpuOf = async (backend: NonNullable<ConfigInput['backend']>): Promise<Check[]> =>
      (await check(greys(), { backend }, { overfitSeconds: 0 })).filter(({ name }) => name === 'gpu');
    vi.mocked(lookForGpu).mockResolvedValue('there is none.');
    expect(await gpuOf({})).toEqual([{ name: 'gpu', status: 'ok', text: 'none is used. there is none.' }]);
    expect(await gpuOf({ name: 'cpu' })).toEqual([]);
    expect(await gpuOf({ threads: 1 })).toEqual([]);
    const checks = await check(greys(), { backend: { name: 'webgpu' } });
    expect(checks.at(-1)).toEqual({ name: 'gpu', status: 'fail', text: 'there is none.' });
  });

  it('sees values of the wrong range, which no model learns', async () => {
    expect(problems(await check(changed(greys(), toBytes)))).toEqual([
      expect.stringMatching(/^values: The data are not in \[-1, 1\]: the set holds values from 0 to 234/),
      expect.stringMatching(/^one batch: the loss .* goes from .*: it should fall/),
    ]);
  });

  it('names samples that cannot be read, and trains on none then', async () => {
    const source = changed(greys(), (_values, _read, index) => {
      if (index === 5) throw dataError('greys', 'sample 5 is broken', 'Remove it');
    });
    const checks = await check(source);
    expect(problems(checks)).toEqual([
      expect.stringMatching(
        /^data: greys, 12 samples: 1 cannot be read\. The first: greys: sample 5 is broken/,
      ),
    ]);
    expect(checks.map(({ name }) => name)).not.toContain('one batch');
  });

  it('names what training would refuse and a check leaves out, and trains on none then', async () => {
    const unused = [{ what: 'unlabelled cell', count: 2, examples: ['a', 'b'], areBad: true }];
    const checks = await check({ ...greys(), unused });
    expect(problems(checks)).toEqual([
      expect.stringMatching(/^data: greys, 12 samples: Training refuses the 2 unlabelled cells/),
    ]);
  });

  it('reads a part of a large set, from end to end', async () => {
    const read: number[] = [];
    const source = changed(greys(2500), (_values, _read, index) => void read.push(index));
    const [data] = (await check(source, {}, { overfitSeconds: 0 })).filter(({ name }) => name === 'data');
    expect(data!.text).toBe('greys, 2,500 samples, 1,000 of them read');
    expect(read.slice(0, 3)).toEqual([0, 2, 5]);
    expect(read[999]).toBe(2497);
  });

  it('reports data that are not there as a finding', async () => {
    const checks = await diagnose({ ...config, data: { source: 'folder', path: '/nowhere', size: 8 } });
    expect(problems(checks)).toEqual([expect.stringMatching(/^data: .*nowhere/)]);
  });

  it('throws where the config is wrong', async () => {
    await expect(check(greys(), { model: { ...tinyStripes.model, width: 15 } })).rejects.toThrow(/width/);
  });

  it('sees that a single batch is not learnt', async () => {
    const noisy = await check(greys(), { optimizer: { learningRate: 2 } });
    expect(problems(noisy)).toEqual([
      expect.stringMatching(/^one batch: the loss .*Lower optimizer\.learningRate/),
    ]);
  });

  it('sees values that are not finite', async () => {
    const source = changed(greys(), (values, _read, index) => void (index === 0 && values.fill(NaN)));
    expect(problems(await check(source))).toEqual([
      expect.stringMatching(/^values: Some values are NaN or infinite/),
      expect.stringMatching(
        /^one batch: the loss is NaN at step 1 on a single batch\. .* NaN \d+ times among/,
      ),
    ]);
  });

  it('skips the batch where steps are slow', async () => {
    const checks = await check(greys(), {}, { overfitSeconds: 1e-6 });
    expect(checks.find(({ name }) => name === 'one batch')).toMatchObject({
      status: 'ok',
      text: expect.stringMatching(/^skipped: a step takes/),
    });
  });

  it('stops when it is told to', async () => {
    const controller = new AbortController();
    const stop = check(
      greys(),
      {},
      {
        signal: controller.signal,
        backend: referenceBackend(),
        onProgress: (what) => what === 'training on one batch' && controller.abort(),
      },
    );
    await expect(stop).rejects.toThrow(/aborted/);
  });
});

describe('the command doctor', () => {
  it('prints a line for each check, and exits with 1 where one fails', async () => {
    const folder = await temporaryFolder();
    const file = {
      data: { source: 'digits', split: 'test' },
      model: { width: 16, depth: 1, heads: 1, patchSize: 14 },
    };
    await writeFile(
      join(folder, 'tiny.json'),
      JSON.stringify({ ...file, train: { steps: 2000, batchSize: 8 } }),
    );
    const args = ['doctor', 'tiny.json', '--set', 'backend.threads=1'];
    const { code, stdout, stderr } = await rectiflow(folder, args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^ok {4}node {11}Node v/);
    expect(stdout).toMatch(/^ok {4}one batch {6}the loss on a single batch goes from/m);
    const failed = await rectiflow(folder, [...args, '--set', 'optimizer.learningRate=1e-9']);
    expect(failed.code).toBe(1);
    expect(failed.stdout).toMatch(/^FAIL {2}learning rate {2}.*raise optimizer\.learningRate/m);
  });
});
