// Whole runs by the command line, as ranks that are processes: however many there are, they make what one process makes.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ConfigInput } from '../../src/config/config.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';
import { installed } from '../support/mpi.ts';
import { pictureFolder } from '../support/picture-folder.ts';
import { madeBy, reached, startRun } from '../support/rank-runs.ts';

const steps = 60;
const logEvery = 5;

/** All at once that draws numbers, adds them up or keeps copies. */
const everything = (pictures: string): ConfigInput => ({
  name: 'everything',
  data: {
    source: 'folder',
    path: pictures,
    transforms: [
      { kind: 'random-resized-crop', size: 8 },
      { kind: 'horizontal-flip', probability: 0.5 },
    ],
  },
  model: { width: 16, depth: 1, heads: 2, patchSize: 4 },
  flow: { labelDropout: 0.2 },
  optimizer: { learningRate: 1e-3, clipNorm: 0.5 },
  ema: { decays: [0.9, 0.99] },
  train: {
    steps,
    batchSize: 16,
    shards: 8,
    microBatch: 1,
    precision: 'bf16',
    logEvery,
    sampleEvery: 0,
    checkpointEvery: 0,
  },
  heldOut: { count: 8, every: 20 },
  sample: { steps: 2, perClass: 2 },
  backend: { threads: 1 },
});

let folder: string;
let expected: Record<string, unknown>;
const made = (name: string): Promise<Record<string, unknown>> =>
  madeBy(join(folder, 'runs', name), steps, logEvery);

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(join(folder, 'run.json'), JSON.stringify(everything(await pictureFolder(40))));
  await rectiflow(folder, ['train', 'run.json', '--name', 'alone']);
  expected = await made('alone');
});

for (const mpi of installed)
  describe.skipIf(mpi.skipped)(`${mpi.kind}${mpi.skipped}`, () => {
    it.each(mpi.kind === 'openmpi' ? [1, 2, 4, 8] : [4])('%i ranks make the same run', async (ranks) => {
      const name = `${mpi.kind}-${ranks}`;
      const { code, stdout, stderr } = await startRun(mpi, ranks, folder, [
        'train',
        'run.json',
        '--name',
        name,
      ]).ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout.match(/^Trained 60 steps/gm)).toHaveLength(1);
      expect(await made(name)).toEqual(expected);
    });
  });

const openmpi = installed.find(({ kind }) => kind === 'openmpi')!;

describe.skipIf(openmpi.skipped)(`pieces of a run${openmpi.skipped}`, () => {
  it('by 8 ranks, 2, one process and 4 make the same run', async () => {
    const run = join(folder, 'runs', 'pieces');
    let args = ['train', 'run.json', '--name', 'pieces'];
    for (const [ranks, until] of [
      [8, 1],
      [2, 20],
      [1, 35],
    ] as const) {
      const piece = startRun(openmpi, ranks, folder, args);
      await reached(run, until);
      process.kill((await piece.pids()).at(-1)!, 'SIGUSR1');
      const { code, stdout } = await piece.ended;
      expect(code).toBe(85);
      expect(stdout).toMatch(/^Stopped after \d+ steps?, saved /m);
      args = ['resume', run];
    }
    const { code, stderr } = await startRun(openmpi, 4, folder, args).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await made('pieces')).toEqual(expected);
  });
});
