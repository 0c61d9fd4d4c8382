// A shared model of gene expression in a browser without a GPU: cells that it makes, among real ones.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sample } from '../../src/api/sample.ts';
import { shareRun } from '../../src/api/share/run.ts';
import { train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { Samples } from '../../src/runner/samples/samples.ts';
import { type MadeCells, toCells } from '../../src/data/expression/denormalize.ts';
import type { ExpressionRecord } from '../../src/data/expression/record.ts';
import { parseCsv } from '../../src/formats/csv.ts';
import { type ShownCells, planeOf, restoreCells } from '../../src/share/cells.ts';
import { readShare } from '../../src/share/read.ts';
import { axeFindings } from '../support/axe.ts';
import { bloodConfig, bloodGenes, bloodTypes, writeBlood } from '../support/blood.ts';
import { temporaryFolder } from '../support/cli.ts';
import { filesOf } from '../support/shared-files.ts';
import { type SharedPage, sharedPage } from '../support/shared-page.ts';
import { noBrowser } from '../support/watched-page.ts';

const backend = referenceBackend();

describe.skipIf(noBrowser)(`the page of a shared model of cells (${noBrowser ?? 'in chromium'})`, () => {
  let folder: string;
  let site: string;
  let run: string;
  const open: SharedPage[] = [];

  beforeAll(async () => {
    folder = await temporaryFolder();
    const data = join(folder, 'blood.h5ad');
    await writeBlood(data);
    run = (await train(bloodConfig(data), { runs: folder, backend })).run;
    site = (await shareRun(run, { to: join(folder, 'site'), numbers: 'float32', backend })).folder;
  }, 120_000);
  afterAll(async () => {
    await Promise.all(open.map((each) => each.close()));
  });

  async function opened(options: Parameters<typeof sharedPage>[1] = {}, of = site): Promise<SharedPage> {
    const shared = await sharedPage(of, options);
    open.push(shared);
    await shared.page.getByText('Made in').waitFor();
    return shared;
  }

  /** Made by Node.js: 10 cells in the proportions of the data, 24, 24, 6 and 6. */
  const nodeLabels = [0, 0, 0, 0, 1, 1, 1, 1, 2, 3];
  async function madeByNode(
    seed: number,
    guidance?: number,
  ): Promise<Samples & { readonly cells: MadeCells }> {
    const made = await sample(run, {
      backend,
      labels: bloodTypes,
      count: [4, 4, 1, 1],
      seed,
      steps: 4,
      guidance,
    });
    const record = made.data.record as ExpressionRecord;
    return { ...made, cells: toCells(made.values, record, { labels: nodeLabels, seed }) };
  }

  const realCells = async (): Promise<ShownCells> => {
    const { manifest, cells } = await readShare(filesOf(site));
    return restoreCells(manifest.cells!, cells!, manifest.data.record as unknown as ExpressionRecord);
  };

  const rowsOf = async ({ page }: SharedPage, region: string): Promise<string[][]> => {
    const rows = page.getByRole('region', { name: region, exact: true }).getByRole('row');
    const texts = (await rows.allInnerTexts()).map((row) => row.split('\t').map((cell) => cell.trim()));
    return texts.slice(1);
  };
  const furthest = (one: ArrayLike<number>, other: ArrayLike<number>): number => {
    expect(one.length).toBe(other.length);
    return Array.from(one).reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0);
  };

  it('shows cells of all types among real ones, where Node.js has them', { timeout: 60_000 }, async () => {
    const shared = await opened();
    const { page, complaints } = shared;
    await expect
      .poll(() => page.getByLabel('Class').locator('option').allInnerTexts())
      .toEqual(['all, as in the data', ...bloodTypes]);
    const canvas = page.getByRole('img', { name: '10 made cells among 60 real ones, t = 0' });
    await expect.poll(() => canvas.getAttribute('data-index')).toBe('4');
    const described = await canvas.getAttribute('aria-describedby');
    await expect
      .poll(() => page.locator(`#${described}`).getByRole('row').count())
      .toBe(1 + bloodTypes.length);

    // Real cells are dots, let through; those that are made are diamonds.
    const pixels = await page.evaluate<[number, number]>(`{
      const canvas = document.querySelector('canvas');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const count = (rgb, from, to) => {
        let found = 0;
        for (let i = 0; i < data.length; i += 4) {
          const isOf = rgb.every((value, channel) => Math.abs(data[i + channel] - value) < 4);
          if (isOf && data[i + 3] >= from && data[i + 3] <= to) found++;
        }
        return found;
      };
      [count([199, 35, 35], 170, 185), count([199, 35, 35], 255, 255)];
    }`);
    for (const count of pixels) expect(count).toBeGreaterThan(10);

    const { cells } = await madeByNode(1);
    const real = await realCells();
    const places = planeOf(cells.values, real.projection);
    const meanOf = (all: Float32Array, labels: ArrayLike<number>, type: number): string => {
      const own = Array.from(labels, (label, i) => (label === type ? i : -1)).filter((i) => i >= 0);
      const along = (axis: 0 | 1): number => own.reduce((sum, i) => sum + all[2 * i + axis]!, 0) / own.length;
      return `${along(0).toFixed(2)}, ${along(1).toFixed(2)}`;
    };
    await expect
      .poll(() => rowsOf(shared, 'Cells by type'))
      .toEqual(
        bloodTypes.map((name, type) => [
          name,
          ['24', '24', '6', '6'][type],
          ['4', '4', '1', '1'][type],
          meanOf(real.points, real.labels, type),
          meanOf(places, nodeLabels, type),
        ]),
      );
    expect(complaints).toEqual([]);
  });

  it('makes the numbers that Node.js makes, and has them projected alike', { timeout: 60_000 }, async () => {
    const { page } = await opened();
    const worker = (await readdir(join(site, 'assets'))).find((name) => /^worker-.*\.js$/.test(name))!;
    const request = {
      label: null,
      labels: nodeLabels,
      prompt: null,
      count: 10,
      seed: 7,
      steps: 4,
      sampler: 'euler',
      guidance: 1.5,
    };
    const [x, points] = await page.evaluate<[number[], number[]]>(`new Promise((resolve, reject) => {
      const worker = new Worker('assets/${worker}', { type: 'module' });
      let last;
      let points;
      worker.addEventListener('message', ({ data }) => {
        if (data.kind === 'ready') {
          points = [...data.cells.points];
          worker.postMessage({ kind: 'make', id: 1, request: ${JSON.stringify(request)} });
        }
        if (data.kind === 'frame') last = [...data.frame.x];
        if (data.kind === 'done') resolve([last, points]);
        if (data.kind === 'failed') reject(new Error(data.message));
      });
      worker.postMessage({ kind: 'open', from: document.baseURI });
    })`);
    const made = await madeByNode(7, 1.5);
    const real = await realCells();
    expect(furthest(x, made.values)).toBeLessThan(1e-3);
    expect(furthest(points, real.points)).toBeLessThan(1e-6);
    const record = made.data.record as ExpressionRecord;
    const { values } = toCells(Float32Array.from(x), record, { labels: nodeLabels, seed: 7 });
    const [here, there] = [values, made.cells.values].map((each) => planeOf(each, real.projection));
    expect(furthest(here!, there!)).toBeLessThan(1e-3);
  });

  it(
    'saves cells and counts as `sample` has them, genes and types by name',
    { timeout: 60_000 },
    async () => {
      const { page } = await opened();
      const { cells } = await madeByNode(1);
      for (const [name, wanted] of [
        ['Save cells as CSV', cells.values],
        ['Save counts as CSV', cells.counts!],
      ] as const) {
        const download = page.waitForEvent('download');
        await page.getByRole('button', { name }).click();
        const saved = await download;
        const [head, ...rows] = Array.from(
          parseCsv(await readFile(await saved.path(), 'utf8'), saved.suggestedFilename()),
          ({ fields }) => fields,
        );
        expect(head).toEqual(['cell', 'kind', ...bloodGenes]);
        expect(rows.map(([, type]) => type)).toEqual(nodeLabels.map((label) => bloodTypes[label]));
        const numbers = rows.flatMap((row) => row.slice(2).map(Number));
        expect(furthest(numbers, wanted)).toBeLessThan(1e-3);
      }
    },
  );

  it(
    'goes along the way from noise, and goes on from there as another type',
    { timeout: 60_000 },
    async () => {
      const shared = await opened();
      const { page } = shared;
      const canvas = page.getByRole('img', { name: /made cells among/ });
      const ink = (): Promise<string> =>
        canvas.evaluate((one) => (one as unknown as { toDataURL(): string }).toDataURL());
      const places = async (): Promise<string> => (await rowsOf(shared, 'Cells by type'))[0]![4]!;
      const [last, lastPlaces] = [await ink(), await places()];
      const time = page.getByLabel('Time, from noise to data');
      await time.focus();
      await page.keyboard.press('Home');
      await expect.poll(() => canvas.getAttribute('data-index')).toBe('0');
      const [noise, noisePlaces] = [await ink(), await places()];
      expect(noise).not.toBe(last);
      expect(noisePlaces).not.toBe(lastPlaces);
      await page.getByRole('button', { name: 'Where it leads' }).click();
      await expect.poll(ink).not.toBe(noise);
      await expect.poll(() => places()).not.toBe(noisePlaces);
      await page.getByRole('button', { name: 'Cells', exact: true }).click();
      await expect.poll(ink).toBe(noise);
      await page.keyboard.press('Tab');
      await time.focus();
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('ArrowRight');
      await expect.poll(() => canvas.getAttribute('data-index')).toBe('2');
      await page.getByLabel('Class').selectOption({ label: '<b>B</b>' });
      // How many there are is what it was: those that are on the way go on.
      await page.getByLabel('How many').selectOption('25');
      await page.getByRole('button', { name: 'Go on from here' }).click();
      await page.getByText('Made in').waitFor();
      await expect
        .poll(async () => (await rowsOf(shared, 'Cells by type')).map((row) => row[2]))
        .toEqual(['0', '10', '0', '0']);
      await expect.poll(() => canvas.getAttribute('data-index')).toBe('4');
    },
  );

  it('has genes by how strong they are, and by how far from real cells', { timeout: 60_000 }, async () => {
    const shared = await opened();
    const { page } = shared;
    const { cells } = await madeByNode(1);
    const { projection } = await realCells();
    const rows = bloodGenes.map((gene, i) => {
      const made = nodeLabels.reduce((sum, _, cell) => sum + cells.values[cell * 6 + i]!, 0) / 10;
      return { gene, made, real: projection.mean[i]! };
    });
    const shown = async (): Promise<string[]> =>
      (await rowsOf(shared, 'Mean expression of genes')).map((row) => row.join(' '));
    const told = (sorted: typeof rows): string[] =>
      sorted.map(({ gene, made, real }) =>
        [gene, ...[made, real, made - real].map((value) => value.toFixed(3))].join(' '),
      );
    await expect.poll(() => shown()).toEqual(told(rows.toSorted((a, b) => b.made - a.made)));
    await page.getByLabel('Order').selectOption('difference');
    const far = ({ made, real }: (typeof rows)[0]): number => Math.abs(made - real);
    await expect.poll(shown).toEqual(told(rows.toSorted((a, b) => far(b) - far(a))));
    const { means } = await realCells();
    await page.getByLabel('Class').selectOption({ label: 'T' });
    await page.getByRole('button', { name: 'Make samples' }).click();
    await page.getByText('Made in').waitFor();
    const realOfT = async (): Promise<string[]> =>
      (await rowsOf(shared, 'Mean expression of genes'))
        .map(([gene, , real]) => `${gene} ${real}`)
        .toSorted();
    await expect
      .poll(realOfT)
      .toEqual(bloodGenes.map((gene, i) => `${gene} ${means[0]![i]!.toFixed(3)}`).toSorted());
    await page.getByLabel('Class').selectOption({ label: 'rare' });
    await page.getByRole('button', { name: 'Make samples' }).click();
    await page.getByText('The mean of real cells was not shared: they are few.').waitFor();
    expect((await rowsOf(shared, 'Mean expression of genes'))[0]).toHaveLength(2);
  });

  it('says where no real cells were shared, and makes cells all the same', { timeout: 60_000 }, async () => {
    const to = join(folder, 'alone');
    await shareRun(run, { to, numbers: 'float32', realCells: false, backend });
    const { page, complaints } = await opened({}, to);
    await page.getByText('No real cells were shared with this model').waitFor();
    await expect.poll(() => page.getByRole('region', { name: 'Genes' }).getByRole('row').count()).toBe(1 + 6);
    await expect.poll(() => page.getByRole('button', { name: 'Save cells as CSV' }).isEnabled()).toBe(true);
    await expect.poll(() => page.getByRole('button', { name: 'Save as PNG' }).count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`has no finding of axe, ${colorScheme}, and fits on a phone`, { timeout: 60_000 }, async () => {
      const viewport = { width: 360, height: 740 };
      const { page } = await opened({ colorScheme, viewport, bypassCSP: true });
      expect(await axeFindings(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    });
  }
});
