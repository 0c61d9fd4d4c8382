// That reflow does what it is for, on data small enough to learn in seconds: two bright and two dark squares of 4x4.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { reflow } from '../../../src/api/reflow/reflow.ts';
import { sample } from '../../../src/api/sample.ts';
import { measureStraightness } from '../../../src/api/straightness.ts';
import { train } from '../../../src/api/train.ts';
import { chooseBackend } from '../../../src/backends/choose.ts';
import { energyDistance } from '../../../src/report/energy-distance.ts';
import { arraySource } from '../../../src/sources/arrays.ts';
import { temporaryFolder } from '../../support/cli.ts';

const size = 16;
/** All pixels of a picture are alike, -0.9 or 0.9, but for a little. */
const images = Float32Array.from({ length: 64 * size }, (_, i) => {
  const side = Math.floor(i / size) % 2 === 0 ? 0.9 : -0.9;
  return side + 0.05 * Math.sin(i);
});
const source = arraySource({ name: 'two', images, shape: [1, 4, 4] });

it('paths are straighter after a reflow, and one step comes nearer to the data; after distillation, too', async () => {
  const runs = await temporaryFolder();
  const { backend } = await chooseBackend({ name: 'auto', threads: 1, isa: 'auto', precision: 'fp32' });
  const config = {
    name: 'two',
    data: { source: 'custom' },
    model: { width: 32, depth: 2, heads: 2, patchSize: 2 },
    optimizer: { learningRate: 3e-3 },
    ema: { decay: 0.98 },
    train: { steps: 400, batchSize: 32, sampleEvery: 0, checkpointEvery: 0, logEvery: 100 },
    sample: { steps: 20, perClass: 1 },
  } as const;
  const { run } = await train(config, { runs, source, backend });
  const options = { runs, pairs: 512, backend, source };
  const straight = await reflow(run, { ...options, folder: join(runs, 'pairs') });
  const short = await reflow(run, { ...options, folder: join(runs, 'pairs-1'), distill: 1 });
  const [before, after] = [run, straight.training.run].map((each) =>
    measureStraightness(each, { backend, count: 32, steps: 32 }),
  );
  expect((await after!).relative).toBeLessThan(0.5 * (await before!).relative);
  const distance = async (of: string): Promise<number> => {
    const { values } = await sample(of, { backend, count: 64, steps: 1, seed: 5, sampler: 'euler' });
    return energyDistance(values, images, size);
  };
  const first = await distance(run);
  expect(await distance(straight.training.run)).toBeLessThan(0.5 * first);
  expect(await distance(short.training.run)).toBeLessThan(0.5 * first);
  await backend.dispose();
}, 120_000);
