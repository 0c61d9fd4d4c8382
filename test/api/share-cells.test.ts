import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { sample } from '../../src/api/sample.ts';
import { type ShareOptions, type SharedRun, shareRun } from '../../src/api/share/run.ts';
import { train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { toCells, unscale } from '../../src/data/expression/denormalize.ts';
import { fitProjection, project } from '../../src/data/expression/principal-components.ts';
import type { ExpressionRecord } from '../../src/data/expression/record.ts';
import { areMeansTold, planeOf } from '../../src/share/cells.ts';
import { MANIFEST } from '../../src/share/manifest.ts';
import { SharedModel } from '../../src/share/open.ts';
import { readShare } from '../../src/share/read.ts';
import { openCells } from '../support/cells.ts';
import { bloodConfig, bloodGenes, bloodTypes, writeBlood } from '../support/blood.ts';
import { temporaryFolder } from '../support/cli.ts';
import { filesOf, manifestOf } from '../support/shared-files.ts';

const backend = referenceBackend();
const pbmc = resolve('../shared/data/pbmc68k_reduced.h5ad');
const noPbmc = existsSync(pbmc) ? undefined : `${pbmc} is not there`;
let folder: string;
let page: string;
let data: string;
let run: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  page = join(folder, 'page');
  await mkdir(page);
  await writeFile(join(page, 'index.html'), '<!doctype html>');
  data = join(folder, 'blood.h5ad');
  await writeBlood(data);
  run = (await train(bloodConfig(data), { runs: folder, backend })).run;
});

let shares = 0;
async function share(
  changes: Partial<ShareOptions> = {},
  of = run,
): Promise<SharedRun & { readonly told: readonly string[] }> {
  const told: string[] = [];
  const license = join(page, 'index.html');
  const onNotice = (text: string): void => void told.push(text);
  const to = join(folder, `share-${shares++}`);
  return { ...(await shareRun(of, { to, page, license, backend, onNotice, ...changes })), told };
}

async function opened<T>(shared: SharedRun, use: (model: SharedModel) => T | Promise<T>): Promise<T> {
  const model = await SharedModel.open(await readShare(filesOf(shared.folder)), backend);
  try {
    return await use(model);
  } finally {
    await model.dispose();
  }
}

/** The cells of the run's training, without its scale, and their types. */
async function trainedOn(): Promise<{ readonly values: Float32Array; readonly labels: readonly number[] }> {
  const source = await openCells(data, { label: 'kind', target: 30, holdOut: 0.2 });
  const values = new Float32Array(source.count * bloodGenes.length);
  const labels: number[] = [];
  for (let index = 0; index < source.count; index++)
    labels.push((await source.read(index, values, index * bloodGenes.length, { seed: 0, epoch: 0 })).label!);
  await source.close!();
  return { values: unscale(values, source.record as ExpressionRecord), labels };
}

describe('a shared run on gene expression', () => {
  it('makes the cells of the run, of a type by its name', async () => {
    const own = await sample(run, { backend, labels: ['<b>B</b>', 'T'], count: 3, seed: 4 });
    const shared = await share({ numbers: 'float32' });
    await opened(shared, async (model) => {
      const conditions = model.conditions(own.annotations);
      const values = await model.sampler.sample({ ...model.defaults, count: 6, seed: 4, conditions });
      expect(values).toEqual(own.values);
      const labels = own.annotations.map(({ label }) => label!);
      const cells = model.cells(values, { labels, seed: 4 })!;
      expect(cells).toEqual(toCells(own.values, own.data.record as ExpressionRecord, { labels, seed: 4 }));
      expect(cells.counts!.every(Number.isInteger)).toBe(true);
      expect(await model.pictures(values)).toBeUndefined();
    });
    expect((await manifestOf(shared.folder)).data.classNames).toEqual(bloodTypes);
  });

  it('is stored in as few bytes as its cells allow', async () => {
    const { card } = await share({ tolerance: 1 });
    expect(card.difference).toMatchObject({ format: 'int8', samples: 16 });
    expect(card.difference.rms).toBeGreaterThan(0);
    expect((await share({ tolerance: 1e-9 })).card.difference.format).toBe('float32');
  });

  it('brings where real cells are, and what types express on average', async () => {
    const shared = await share();
    expect(shared.told).toEqual([]);
    expect(shared.files).toContain('cells-1.bin');
    const real = await trainedOn();
    const genes = bloodGenes.length;
    const projection = fitProjection(real.values, genes, 2);
    const places = project(real.values, projection);
    const byType = [0, 1, 2, 3].map((type) =>
      real.labels.flatMap((label, cell) => (label === type ? [cell] : [])),
    );
    await opened(shared, ({ realCells, manifest }) => {
      expect(manifest.cells!.shown).toEqual([24, 24, 6, 6]);
      expect(Array.from(realCells!.labels)).toEqual(byType.flatMap((cells, type) => cells.map(() => type)));
      const wanted = byType.flat().flatMap((cell) => [places[2 * cell]!, places[2 * cell + 1]!]);
      wanted.forEach((place, i) => expect(realCells!.points[i]).toBeCloseTo(place, 5));
      // What is read projects the real cells to where they are said to be.
      const again = planeOf(real.values, realCells!.projection);
      places.forEach((place, i) => expect(again[i]).toBeCloseTo(place, 5));
      byType.slice(0, 2).forEach((cells, type) => {
        for (let gene = 0; gene < genes; gene++) {
          const sum = cells.reduce((total, cell) => total + real.values[cell * genes + gene]!, 0);
          expect(realCells!.means[type]![gene]).toBeCloseTo(sum / cells.length, 5);
        }
      });
      const [first, second] = realCells!.explained as [number, number];
      expect(first).toBeGreaterThan(second);
      expect(first + second).toBeLessThan(1);
    });
  });

  it('has a picture of the cells that `sample` makes, in the plane of the real ones', async () => {
    const shared = await share();
    expect(shared.card.picture).toMatchObject({
      file: 'samples.svg',
      text: expect.stringContaining('seed 0'),
    });
    const svg = await readFile(join(shared.folder, 'samples.svg'), 'utf8');
    const dots = Array.from(svg.matchAll(/cx="([\d.]+)" cy="([\d.]+)" r="2.5"/g), ([, x, y]) => [
      Number(x),
      Number(y),
    ]);
    const made = await sample(run, { backend });
    const labels = made.annotations.map(({ label }) => label!);
    const cells = toCells(made.values, made.data.record as ExpressionRecord, { labels, seed: 0 });
    await opened(shared, ({ realCells }) => {
      const { points, projection } = realCells!;
      const real = points.length / 2;
      const generated = planeOf(cells.values, projection);
      expect(dots).toHaveLength(real + labels.length);
      for (const axis of [0, 1]) {
        const place = (i: number): number => points[2 * i + axis]!;
        const far = Array.from({ length: real }, (_, i) => i).toSorted((a, b) => place(a) - place(b));
        const [low, high] = [far[0]!, far.at(-1)!];
        const scale = (dots[high]![axis]! - dots[low]![axis]!) / (place(high) - place(low));
        // The second panel is beside the first.
        const begin = axis === 0 ? 364 : 0;
        for (let i = 0; i < labels.length; i++) {
          const wanted = dots[low]![axis]! + begin + scale * (generated[2 * i + axis]! - place(low));
          expect(Math.abs(dots[real + i]![axis]! - wanted)).toBeLessThan(0.5);
        }
      }
    });
  });

  it('brings no expression of a cell, also not as the mean of a type of few', async () => {
    const shared = await share();
    await opened(shared, ({ realCells }) =>
      expect(realCells!.means.slice(2)).toEqual([undefined, undefined]),
    );
    const { tensors } = (await manifestOf(shared.folder)).cells!.tensors;
    expect(tensors.map(({ name, shape }) => [name, ...shape])).toEqual([
      ['mean', 6],
      ['components', 2, 6],
      ['points', 60, 2],
      ['means', 2, 6],
    ]);
    const numbers = tensors.reduce((sum, { shape }) => sum + shape.reduce((size, side) => size * side), 0);
    expect((await stat(join(shared.folder, 'cells-1.bin'))).size).toBe(4 * numbers);
  });

  it.each([
    [
      [24, 24],
      [true, true],
    ],
    [
      [24, 24, 6, 6],
      [true, true, false, false],
    ],
    // What 30 and 12 leave of the mean of all would be the mean of two cells.
    [
      [30, 2, 12],
      [true, false, false],
    ],
    [
      [30, 2],
      [false, false],
    ],
    [
      [5, 5],
      [false, false],
    ],
    [
      [10, 0],
      [true, false],
    ],
  ])('of %j tells the means of %j', (shown, told) => {
    expect(areMeansTold(shown)).toEqual(told);
  });

  it('has the same file each time', async () => {
    const [one, other] = await Promise.all([share(), share()]);
    const read = ({ folder: of }: SharedRun): Promise<Buffer> => readFile(join(of, 'cells-1.bin'));
    expect(await read(one)).toEqual(await read(other));
  });

  it('brings no real cells where that is not wanted, or there are too few, or none any more', async () => {
    const unwanted = await share({ realCells: false });
    expect([unwanted.told, unwanted.files.includes('cells-1.bin')]).toEqual([[], false]);
    expect(await opened(unwanted, ({ realCells }) => realCells)).toBeUndefined();

    const few = { ...bloodConfig(data, { label: 'kind', holdOut: 0.9 }), name: 'few' };
    const { run: ofFew } = await train(few, { runs: folder, backend });
    expect((await share({}, ofFew)).told).toEqual([
      'the page shows no real cells beside generated ones: there are 8 cells, and fewer than 10 would be told apart',
    ]);

    const moved = join(folder, 'moved');
    await cp(run, moved, { recursive: true });
    const file = join(moved, 'config.json');
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll('blood.h5ad', 'gone.h5ad'));
    const gone = await share({}, moved);
    expect(gone.told).toEqual([
      expect.stringMatching(
        /^the page shows no real cells beside generated ones: .*gone\.h5ad: .*no such file/,
      ),
    ]);
    expect((await manifestOf(gone.folder)).cells).toBeUndefined();
    expect(gone.card.samples).toBe(60);
  });

  it('brings none where the file has become one of other genes', async () => {
    const changed = join(folder, 'changed');
    await cp(run, changed, { recursive: true });
    const other = join(folder, 'other.h5ad');
    await writeBlood(other, ['CD3E', 'MS4A1', 'LYZ', 'NKG7', 'ACTB', 'GAPDH']);
    const file = join(changed, 'config.json');
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll('blood.h5ad', 'other.h5ad'));
    const { told } = await share({}, changed);
    expect(told).toEqual([expect.stringMatching(/no real cells .*other\.h5ad: the gene a,"b" is missing/)]);
  });

  it('without types is one of all cells', async () => {
    const made = await train({ ...bloodConfig(data, {}), name: 'plain' }, { runs: folder, backend });
    const shared = await share({}, made.run);
    await opened(shared, async (model) => {
      expect(model.manifest.cells!.shown).toEqual([60]);
      expect(model.realCells!.means).toHaveLength(1);
      expect(model.defaults.guidance).toBe(1);
      const values = await model.sampler.sample({ ...model.defaults, count: 2, seed: 1 });
      expect(model.cells(values, { seed: 1 })!.values).toHaveLength(2 * 6);
    });
  });

  it('names what of the cells is not as it was written', async () => {
    const damaged = async (change: (cells: Record<string, unknown>) => void): Promise<string> => {
      const { folder: to } = await share();
      const manifest = await manifestOf(to);
      change(manifest.cells as unknown as Record<string, unknown>);
      await writeFile(join(to, MANIFEST), JSON.stringify(manifest));
      return opened({ folder: to } as SharedRun, () => 'opened').catch((error: Error) => error.message);
    };
    expect(await damaged((cells) => (cells['shown'] = [-1]))).toMatch(
      /cells\.shown: wanted a number of cells/,
    );
    expect(await damaged((cells) => (cells['shown'] = [24, 24]))).toMatch(
      /cells\.tensors: points has shape \[60,2\], wanted \[48,2\]/,
    );
    expect(await damaged((cells) => (cells['explained'] = []))).toMatch(/cells\.explained: wanted a share/);
    expect(await damaged((cells) => (cells['tensors'] = {}))).toMatch(
      /cells\.tensors: wanted parts and tensors/,
    );
    const without = (cells: Record<string, unknown>): void => {
      const { tensors } = cells['tensors'] as { tensors: { name: string }[] };
      tensors.find(({ name }) => name === 'mean')!.name = 'other';
    };
    expect(await damaged(without)).toMatch(/cells\.tensors: mean is missing\. Share the run again/);
    const { folder: cut } = await share();
    await rm(join(cut, 'cells-1.bin'));
    await writeFile(join(cut, 'cells-1.bin'), 'short');
    await expect(readShare(filesOf(cut))).rejects.toThrow(/cells-1\.bin.* has 5 bytes, the manifest says/);
  });

  it.skipIf(noPbmc)(`shows blood cells of a real file (${noPbmc ?? pbmc})`, async () => {
    const { run: blood } = await train(
      {
        name: 'pbmc',
        data: { source: 'expression', path: pbmc, label: 'bulk_labels', target: 600, holdOut: 0.5 },
        model: { width: 16, depth: 1, heads: 2, groupSize: 90 },
        train: { steps: 2, batchSize: 4, sampleEvery: 0, checkpointEvery: 0 },
        sample: { steps: 2 },
      },
      { runs: folder, backend },
    );
    const shared = await share({ numbers: 'float16' }, blood);
    await opened(shared, ({ realCells, manifest }) => {
      const types = manifest.data.classNames!;
      expect(types).toContain('CD14+ Monocyte');
      expect(realCells!.labels).toHaveLength(manifest.card.samples!);
      // The first component tells monocytes from T cells.
      const along = (type: string): number[] =>
        Array.from(realCells!.labels).flatMap((label, i) =>
          types[label] === type ? [realCells!.points[2 * i]!] : [],
        );
      const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b) / values.length;
      const [monocytes, helpers] = [along('CD14+ Monocyte'), along('CD4+/CD25 T Reg')];
      expect(Math.abs(mean(monocytes) - mean(helpers))).toBeGreaterThan(5);
    });
  });
});
