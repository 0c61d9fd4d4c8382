import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Dataset, File } from 'h5wasm/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { compareRun } from '../../src/report/compare.ts';
import { sample } from '../../src/api/sample.ts';
import { train } from '../../src/api/train.ts';
import { writeSamples } from '../../src/runner/samples/write-samples.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { comparisonLines } from '../../src/cli/comparison-view.ts';
import { openExpression } from '../../src/sources/expression/source.ts';
import { writeExpression } from '../../src/sources/expression/write.ts';
import type { ExpressionData } from '../../src/sources/settings.ts';
import { ExpressionDiT } from '../../src/models/expression-dit.ts';
import type { ConfigInput } from '../../src/config/config.ts';
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

/** Without the drawing, and without the last digits, which depend on the order of additions. */
function rounded(key: string, value: unknown): unknown {
  if (key === 'plot') return undefined;
  return typeof value === 'number' ? value.toPrecision(4) : value;
}

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
  it('makes cells of its own genes alone', async () => {
    await expect(sample(run, { backend, labels: ['B'], count: 1, imageSize: [1, 5] })).rejects.toThrow(
      'sample: imageSize must be left out: samples of this model are no images, but [5], got 1x5',
    );
  });

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
    const seen: string[] = [];
    const onProgress = (what: string, done: number, total: number): number =>
      done === total ? seen.push(what) : 0;
    const comparison = await compareRun(run, { backend, onProgress });
    expect(comparison).toMatchObject({
      step: 6,
      heldOut: { cells: 6, read: 6 },
      all: { cells: 6 },
      classes: [
        { name: 'T', cells: 3 },
        { name: 'B', cells: 3 },
      ],
      leftOut: [],
    });
    expect(seen).toEqual(['reading cells held out', 'reading cells trained on', 'sampling', 'comparing']);
    expect(comparison.classes[0]!.trained.correlation).toBeGreaterThan(0.8);
    const share = counts.filter((count) => count === 0).length / counts.length;
    for (const { zeros } of comparison.classes) expect(Math.abs(zeros - share)).toBeLessThan(0.2);
    expect(comparison.plot).toMatch(/held out: 6 cells[^]*generated: 6 cells/);
    const lines = comparisonLines(comparison);
    expect(lines).toContain('B: 3 cells of each set, too few to say much');
    expect(lines.filter((line) => /^ {2}generated +-?\d\.\d{3} +\d/.test(line))).toHaveLength(3);
  });

  it('is sampled in the proportions of its classes, and says where its cells come from', async () => {
    const made = await sample(run, { backend });
    const composition = [0, 1].flatMap((label) => new Array<number>(7).fill(label));
    expect(made.annotations.map(({ label }) => label)).toEqual(composition);
    const few = await sample(run, { backend, labels: ['B', 'T'], count: [1, 2], seed: 3 });
    expect(few.annotations.map(({ label }) => label)).toEqual([1, 0, 0]);
    await expect(sample(run, { backend, labels: ['B'], count: [1, 2] })).rejects.toThrow(
      /count must be a number, or one for each of 1 label, got 2 numbers/,
    );
    const one = await sample(run, { backend, labels: ['B'], count: 1 });
    const otherwise = await sample(run, { backend, labels: ['B'], count: 1, steps: 3 });
    const names: string[] = [];
    for (const [i, samples] of [made, few, one, otherwise].entries()) {
      const { view } = await writeSamples(join(folder, `made-${i}`), samples);
      const file = new File(view, 'r');
      names.push(...((file.get('obs/_index') as Dataset).value as string[]));
      const written = ['run', 'seed', 'step'].map(
        (name) => (file.get(`uns/rectiflow/${name}`) as Dataset).value,
      );
      expect(written).toEqual(['cells', samples.made!.seed, 6]);
      file.close();
    }
    expect(new Set(names).size).toBe(14 + 3 + 1 + 1);
  });

  it('is compared with the same cells by the names of genes and classes, wherever they stand in the file', async () => {
    const wanted = await compareRun(run, { backend, count: 5 });
    const path = join(folder, 'permuted.h5ad');
    const order = [3, 0, 4, 2, 1];
    await writeExpression(path, {
      genes: order.map((gene) => genes[gene]!),
      values: Float32Array.from(counts, (_, i) => counts[i - (i % 5) + order[i % 5]!]!),
      classes: { column: 'kind', names: ['B', 'T'], labels: labels.map((label) => 1 - label) },
    });
    const permuted = join(folder, 'permuted');
    await cp(run, permuted, { recursive: true });
    const file = join(permuted, 'config.json');
    await writeFile(file, (await readFile(file, 'utf8')).replace('real.h5ad', 'permuted.h5ad'));
    const notices: string[] = [];
    const found = await compareRun(permuted, { backend, count: 5, onNotice: (text) => notices.push(text) });
    expect(notices).toEqual([
      `${path}: its classes stand in another order: labels are taken by name.`,
      `${path}: its genes stand in another order: values are taken by name.`,
    ]);
    expect(found.heldOut).toEqual(wanted.heldOut);
    expect(JSON.stringify(found, rounded)).toBe(JSON.stringify(wanted, rounded));
  });

  it('is compared with a model of a program as with one that its config describes', async () => {
    const model = new ExpressionDiT({
      genes: 5,
      groupSize: 2,
      classes: 2,
      width: 16,
      depth: 1,
      heads: 2,
      timeScale: 1000,
    });
    const own = await train({ ...config({}), model: { kind: 'custom' } }, { runs: folder, backend, model });
    const options = { backend, count: 3 };
    const { all } = await compareRun(own.run, { ...options, model });
    expect(all).toEqual((await compareRun(run, options)).all);
    await expect(compareRun(own.run, options)).rejects.toThrow(
      'a custom model is handed over by the program',
    );
  });

  it('may have no classes', async () => {
    const { label: _, ...data } = config({}).data as ExpressionData;
    const plain = (await train({ ...config({}), data }, { runs: folder, backend })).run;
    const { all, classes } = await compareRun(plain, { backend, count: 5 });
    expect(classes).toEqual([]);
    expect(all).toMatchObject({ cells: 5 });
    expect(all.generated).not.toHaveProperty('foldChangeSlope');
    expect((await sample(plain, { backend })).values).toHaveLength(14 * 5);
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
