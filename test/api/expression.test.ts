import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { compareRun } from '../../src/api/compare.ts';
import { sample } from '../../src/api/sample.ts';
import { train } from '../../src/api/train.ts';
import { writeSamples } from '../../src/api/write-samples.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { comparisonLines } from '../../src/cli/compare.ts';
import { openExpression } from '../../src/data/expression/source.ts';
import { writeExpression } from '../../src/data/expression/write.ts';
import type { ExpressionData } from '../../src/data/settings.ts';
import type { ConfigInput } from '../../src/train/config.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';
import { randomValues } from '../support/random.ts';

const backend = referenceBackend();
const genes = ['CD3', 'CD19', 'LYZ', 'NKG7', 'ACTB'];
let folder: string;
let run: string;

/** Counts of 20 cells: the first genes tell the two classes apart. */
const labels = Array.from({ length: 20 }, (_, cell) => cell % 2);
const counts = Float32Array.from(randomValues(100, 4), (value, i) => {
  const strong = i % 5 === labels[Math.floor(i / 5)]! || i % 5 === 4;
  return Math.floor((strong ? 12 : 1.4) * Math.abs(value));
});

function config(data: Partial<ExpressionData>): ConfigInput {
  return {
    name: 'cells',
    data: {
      source: 'expression',
      path: join(folder, 'real.h5ad'),
      label: 'kind',
      target: 20,
      holdOut: 0.3,
      ...data,
    },
    model: { width: 16, depth: 1, heads: 2, groupSize: 2 },
    train: { steps: 6, batchSize: 4, logEvery: 2, sampleEvery: 0, checkpointEvery: 0 },
    sample: { steps: 2 },
  };
}

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeExpression(join(folder, 'real.h5ad'), {
    genes,
    values: counts,
    classes: { column: 'kind', names: ['T', 'B'], labels },
  });
  run = (await train(config({}), { runs: folder, backend })).run;
});

describe('a run on gene expression', () => {
  it('makes cells that are written as an .h5ad file with genes, classes and counts', async () => {
    const samples = await sample(run, { backend, labels: ['B', 'T'], count: 3 });
    const { count, view } = await writeSamples(join(folder, 'made'), samples);
    expect(view).toBe(join(folder, 'made', 'cells.h5ad'));
    expect(count).toBe(6);
    const base = {
      source: 'expression',
      path: view,
      target: 20,
      variableGenes: 0,
      scaleGenes: false,
    } as const;
    const whole = { ...base, holdOut: 0, split: 'train', label: 'kind', normalize: 'none' } as const;
    for (const layer of ['X', 'counts']) {
      const made = await openExpression({ ...whole, layer });
      expect(made).toMatchObject({ count: 6, classNames: ['T', 'B'], record: { genes } });
      expect(await made.read(0, new Float32Array(5), 0, { seed: 0, epoch: 0 })).toEqual({ label: 1 });
      await made.close!();
    }
    // Only counts are whole numbers from 0, which auto takes for what has to be normalised.
    const recounted = await openExpression({ ...whole, layer: 'counts', normalize: 'auto' });
    expect(recounted.record).toMatchObject({ normalize: 'log1p' });
    await recounted.close!();
  });

  it('is compared, class by class, with the cells that it held out', async () => {
    const comparison = await compareRun(run, { backend, count: 5 });
    expect(comparison).toMatchObject({
      step: 6,
      classes: [
        { name: 'T', heldOut: { cells: 3 }, trained: { cells: 7 }, generated: { cells: 5 } },
        { name: 'B', heldOut: { cells: 3 }, trained: { cells: 7 }, generated: { cells: 5 } },
      ],
    });
    expect(comparison.classes[0]!.trained.correlation).toBeGreaterThan(0.8);
    const zeros = counts.filter((count) => count === 0).length / counts.length;
    for (const { heldOut } of comparison.classes) expect(Math.abs(heldOut.zeros - zeros)).toBeLessThan(0.2);
    expect(comparison.plot).toMatch(/held out: 6 cells[^]*generated: 6 cells/);
    const lines = comparisonLines(comparison);
    expect(new Set(lines.slice(1).map((line) => line.length)).size).toBe(1);
    expect(lines.at(-1)).toMatch(/^B +3 +7 +-?\d\.\d{3} +0\.\d{3}/);
  });

  it('may have no classes', async () => {
    const { label: _, ...data } = config({}).data as ExpressionData;
    const plain = (await train({ ...config({}), data }, { runs: folder, backend })).run;
    const { classes } = await compareRun(plain, { backend, count: 5 });
    expect(classes).toMatchObject([{ name: 'all cells', generated: { cells: 5 }, heldOut: { cells: 6 } }]);
    const { view } = await writeSamples(join(folder, 'plain'), await sample(plain, { backend, count: 2 }));
    expect((await readFile(view)).length).toBeGreaterThan(0);
  });

  it('cannot be compared where no cell was held out, nor with images', async () => {
    const all = (await train(config({ holdOut: 0 }), { runs: folder, backend })).run;
    await expect(compareRun(all, { backend })).rejects.toThrow(
      /held no cells out to compare with. Train with data.holdOut/,
    );
    const images = (await train(tinyStripes, { runs: folder, source: stripes(), backend })).run;
    await expect(compareRun(images, { backend })).rejects.toThrow(
      /was trained on custom, not on gene expression/,
    );
  });
});
