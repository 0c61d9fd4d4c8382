// Ranks that were not started alike: all of them end before the first step, and one sentence says which differs in what.
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ConfigInput } from '../../src/config/config.ts';
import { dist, rectiflow, temporaryFolder } from '../support/cli.ts';
import { installed } from '../support/mpi.ts';
import { npy } from '../support/npy.ts';
import { randomValues } from '../support/random.ts';
import { main, madeBy, startRun } from '../support/rank-runs.ts';

const config: ConfigInput = {
  name: 'run',
  data: { source: 'array', path: 'samples.npy', latents: true },
  model: { width: 16, depth: 1, heads: 2, patchSize: 4 },
  train: {
    steps: 24,
    batchSize: 8,
    shards: 4,
    precision: 'fp32',
    logEvery: 1,
    sampleEvery: 0,
    checkpointEvery: 0,
  },
  sample: { steps: 2, perClass: 1 },
  backend: { threads: 1 },
};

/** 64 samples, one of which may be something else. */
function samples(own: Readonly<Record<number, number>> = {}): Buffer {
  const values = Float32Array.from(randomValues(64 * 64, 7));
  for (const [index, value] of Object.entries(own))
    values.fill(value, 64 * Number(index), 64 * Number(index) + 64);
  return npy('<f4', [64, 1, 8, 8], values);
}

/** The folder of each rank. */
let own: readonly [string, string];
beforeEach(async () => {
  own = [await temporaryFolder(), await temporaryFolder()];
  for (const folder of own) {
    await writeFile(join(folder, 'run.json'), JSON.stringify(config));
    await writeFile(join(folder, 'samples.npy'), samples());
  }
});

const mpi = installed.find(({ kind }) => kind === 'openmpi')!;

describe.skipIf(mpi.skipped)(`ranks in folders of their own${mpi.skipped}`, () => {
  /** @param program of rank 1 @returns what was said, line by line */
  async function said(program = main): Promise<{ code: number | null; told: string[] }> {
    const second = [':', '-n', '1', '--wdir', own[1], process.execPath, program, 'train', 'run.json'];
    const { code, stderr } = await startRun(mpi, 1, own[0], ['train', 'run.json', ...second]).ended;
    return {
      code,
      told: stderr.match(/^(?:error|rectiflow): .*$/gm)!.map((line) => line.replaceAll(/ on [^ :]+/g, '')),
    };
  }

  it('a rank without the config', async () => {
    await writeFile(join(own[1], 'run.json'), 'model: {');
    expect(await said()).toEqual({
      code: 1,
      told: [expect.stringMatching(/^error: rank 1: run\.json: .*JSON/)],
    });
  });

  it('a rank with another config', async () => {
    await writeFile(join(own[1], 'run.json'), JSON.stringify({ ...config, seed: 4 }));
    expect(await said()).toEqual({
      code: 1,
      told: [
        'error: the ranks differ in seed: rank 0 has 0, rank 1 has 4. Start all ranks with the same config and options.',
      ],
    });
  });

  it('a rank with other data', async () => {
    await writeFile(join(own[1], 'samples.npy'), samples({ 40: 0.5 }));
    expect(await said()).toEqual({
      code: 1,
      told: [
        expect.stringMatching(
          /^error: the ranks differ in the data: fingerprint: rank 0 has SHA-256 \w+, rank 1 has SHA-256 \w+\. Give all machines the same data/,
        ),
      ],
    });
  });

  it('a rank of another version', async () => {
    const root = fileURLToPath(new URL('../../', import.meta.url));
    const other = join(own[1], 'other');
    await mkdir(other);
    await cp(dist, join(other, 'dist'), { recursive: true });
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    await writeFile(join(other, 'package.json'), JSON.stringify({ ...manifest, version: '99.0.0' }));
    for (const name of ['build', 'node_modules']) await symlink(join(root, name), join(other, name));
    expect(await said(join(other, 'dist/cli/main.js'))).toEqual({
      code: 1,
      told: [
        `error: the ranks differ in the version of rectiflow: rank 0 has ${manifest.version}, rank 1 has 99.0.0. Install the same everywhere.`,
      ],
    });
  });

  it('a sample of one rank that makes its loss NaN is found, and the steps without it are those of one process', async () => {
    const folder = own[0];
    const tolerant = { ...config, train: { ...config.train, badSteps: { rollBackAfter: 100 } } };
    await writeFile(join(folder, 'run.json'), JSON.stringify(tolerant));
    await writeFile(join(folder, 'samples.npy'), samples({ 40: 3e38 }));
    const alone = await rectiflow(folder, ['train', 'run.json', '--name', 'alone']);
    const { code, stdout, stderr } = await startRun(mpi, 2, folder, ['train', 'run.json']).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const notes = (text: string): string[] => text.match(/^note: At step \d+ .*/gm)!;
    expect(notes(stdout)[0]).toMatch(/ is NaN\. .* which is samples\.npy: sample 40\. /);
    expect(notes(stdout)).toEqual(notes(alone.stdout));
    const made = (name: string): Promise<unknown> => madeBy(join(folder, 'runs', name), 24, 1);
    expect(await made('run')).toEqual(await made('alone'));
  });
});
