// Pictures of a run of an autoencoder: what is shown is what its weights make of samples.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { AutoencoderModel } from '../../src/models/autoencoder-model.ts';
import { prepareTraining } from '../../src/runner/prepare-run.ts';
import type { SampleGrid } from '../../src/train/sample-grid.ts';
import { reconstructionProgram } from '../../src/train/autoencoder-task.ts';
import { averagedWeights } from '../../src/train/state.ts';
import { temporaryFolder } from '../support/cli.ts';
import { largestError } from '../support/golden-autoencoders.ts';
import { pictures, tinyAutoencoder } from '../support/tiny-autoencoder.ts';

const backend = referenceBackend();

async function gridOf(
  changes: ConfigInput,
): Promise<{ grid: SampleGrid; shown: Float32Array; made: Record<'ema' | 'model', Float32Array> }> {
  const config = resolveConfig({ ...tinyAutoencoder, ...changes }, { facts: pictures() });
  const training = await prepareTraining({ config, backend, source: pictures() });
  const { task, model, buffers, split, executable } = training;
  // Weights and averages that differ.
  await executable.run({
    x0: new Float32Array(5 * 48).fill(0.5),
    step: Int32Array.of(1),
    firstSample: Int32Array.of(0),
    update: Int32Array.of(1),
    learningRate: Float32Array.of(0.05),
    emaWeight: Float32Array.of(0.1),
  });
  const maker = task.grid.open(training);
  const grid = await maker.make();
  await maker.dispose();
  const strips = grid.rows!.filter((row) => row === 'original').length;
  const shown = new Float32Array(strips * 3 * 48);
  for (let i = 0; i < strips * 3; i++)
    await (split?.heldOut ?? pictures()).read(i, shown, i * 48, { seed: 0, epoch: 0 });
  const makeWith = async (
    weights: typeof buffers | ReturnType<typeof averagedWeights>,
  ): Promise<Float32Array> => {
    const program = await backend.compile(
      reconstructionProgram(model as AutoencoderModel, [strips * 3, 1, 8, 6]),
      weights,
    );
    await program.run({ x0: shown });
    return Float32Array.from((await program.read(['pictures'])).pictures);
  };
  return {
    grid,
    shown,
    made: { ema: await makeWith(averagedWeights(model, buffers)), model: await makeWith(buffers) },
  };
}

it.each([0, 7])(
  'originals are above what averages and weights make of them, with %i held out',
  async (count) => {
    const { grid, shown, made } = await gridOf({ heldOut: { count } });
    const strips = count === 0 ? 4 : 2;
    const rows = ['original', 'EMA', 'weights of the step'];
    expect(grid.rows).toEqual(Array.from({ length: strips }, () => rows).flat());
    expect(grid.columns).toBe(3);
    const { samples } = grid.sets[0]!;
    expect(samples).toHaveLength(strips * 3 * 3 * 48);
    const row = 3 * 48;
    for (let strip = 0; strip < strips; strip++) {
      const [originals, ema, weights] = [0, 1, 2].map((below) =>
        samples.subarray((3 * strip + below) * row, (3 * strip + below + 1) * row),
      );
      const ofStrip = (values: Float32Array): Float32Array => values.subarray(strip * row, (strip + 1) * row);
      expect(originals).toEqual(ofStrip(shown));
      expect(largestError(ema!, ofStrip(made.ema))).toBeLessThan(1e-6);
      expect(largestError(weights!, ofStrip(made.model))).toBeLessThan(1e-6);
    }
    expect(largestError(made.ema, made.model)).toBeGreaterThan(1e-3);
  },
);

it('of few samples a row is as short as they are', async () => {
  const { grid } = await gridOf({ sample: { perClass: 40, gridWeights: 'ema' } });
  expect([grid.columns, grid.rows]).toEqual([23, ['original', 'EMA']]);
});

it('a run writes them where samples are, and no paths out of noise', async () => {
  const runs = await temporaryFolder();
  const input = { ...tinyAutoencoder, train: { ...tinyAutoencoder.train, sampleEvery: 6 } };
  const { run, samples } = await train(input, { runs, backend, source: pictures() });
  expect(samples).toBe(join(run, 'samples', 'step-0000012.png'));
  expect(existsSync(join(run, 'samples', 'step-0000006.png'))).toBe(true);
  expect(existsSync(join(run, 'samples', 'step-0000012-path.png'))).toBe(false);
});
