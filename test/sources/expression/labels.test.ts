import { describe, expect, test } from 'vitest';
import { checkSamples } from '../../../src/check/check.ts';
import type { ExpressionRecord } from '../../../src/data/expression/record.ts';
import type { Source } from '../../../src/data/source.ts';
import { describeTold } from '../../../src/data/told.ts';
import { type TinyFile, writeTiny } from '../../support/h5ad.ts';
import {
  COUNTS,
  NORMALIZED,
  TINY,
  expectCells,
  kinds,
  openCells,
  temporaryFiles,
} from '../../support/cells.ts';

const { open, path } = temporaryFiles();

describe('labels', () => {
  test.each<[string, TinyFile['obs']]>([
    ['categories', { kind: kinds }],
    ['strings', { kind: ['T', 'B', 'T', 'B'] }],
    ['categories with one that no cell has', { kind: { codes: [2, 0, 2, 0], categories: ['B', 'NK', 'T'] } }],
  ])('come from a column of %s', async (_, obs) => {
    const source = await open({ obs: obs! }, { label: 'kind' });
    expect(source).toMatchObject({ classes: 2, classNames: ['B', 'T'] });
    const labels = [0, 1, 2, 3].map((index) =>
      source.read(index, new Float32Array(4), 0, { seed: 0, epoch: 0 }),
    );
    expect(labels).toEqual([{ label: 1 }, { label: 0 }, { label: 1 }, { label: 0 }]);
  });

  test('that are there and are not asked for are named', async () => {
    const obs = { cell_type: ['T', 'B', 'T', 'B'], n_genes: Int32Array.of(1, 2, 3, 4) };
    const advice = 'If one holds the classes of the cells, set data.label to its name.';
    const source = await open({ obs });
    expect(describeTold(source)).toBe('nothing: unconditional');
    expect(source.unused).toEqual([{ what: 'obs column', count: 1, examples: ['cell_type'], advice }]);
    const labelled = await open({ obs }, { label: 'cell_type' });
    expect(describeTold(labelled)).toBe('labels (2 classes, column cell_type of obs)');
    expect(labelled.unused).toEqual([]);
  });

  test('come from whole numbers, in their order', async () => {
    const source = await open({ obs: { cluster: Int32Array.of(10, 2, 2, 10) } }, { label: 'cluster' });
    expect(source.classNames).toEqual(['2', '10']);
    const nullable = { values: [10, 2, 2, 10], mask: [0, 0, 0, 0] };
    expect((await open({ obs: { nullable } }, { label: 'nullable' })).classNames).toEqual(['2', '10']);
    const obs = { nullable: { ...nullable, mask: [0, 1, 0, 0] } };
    await expect(open({ obs }, { label: 'nullable' })).rejects.toThrow(
      /1 of 4 cells have no value in obs\/nullable/,
    );
  });

  test('come from strings and numbers some of which are missing, and cells without are left out', async () => {
    const columns: TinyFile['obs'] = {
      text: { values: ['T', '', 'B', 'T'], mask: [0, 1, 0, 0] },
      number: Float64Array.of(2, NaN, 0, 2),
      category: { codes: [2, -1, 0, 2], categories: ['B', 'NK', 'T'] },
    };
    for (const label of Object.keys(columns)) {
      await expect(open({ obs: columns }, { label })).rejects.toThrow(
        /1 of 4 cells have no value in obs\/.*, the first is cell 1 \(cell-b\)\. .*data\.unlabelled to drop/,
      );
      const source = await open({ obs: columns }, { label, unlabelled: 'drop' });
      expect(source).toMatchObject({ count: 3, classes: 2 });
      expect(source.classNames).toEqual(label === 'number' ? ['0', '2'] : ['B', 'T']);
      expect(source.unused).toEqual([{ what: 'unlabelled cell', count: 1, examples: ['cell 1 (cell-b)'] }]);
      expectCells(source, [NORMALIZED[0]!, NORMALIZED[2]!, NORMALIZED[3]!]);
    }
  });

  test.each<[string, TinyFile['obs'], RegExp]>([
    ['more values than cells', { kind: ['T', 'B', 'T', 'B', 'B'] }, /obs\/kind has 5 values, obs 4 rows/],
    ['another name', { kinds }, /obs has no column kind\. It has kinds\. Did you mean "kinds"\?/],
    ['no column at all', {}, /obs has no column kind\. It has no columns/],
    [
      'missing values',
      { kind: { ...kinds, codes: [1, -1, 0, -1] } },
      /2 of 4 cells have no value in obs\/kind, the first is cell 1 \(cell-b\)/,
    ],
    [
      'a code outside',
      { kind: { ...kinds, codes: [1, 2, 0, 0] } },
      /obs\/kind has code 2 in row 1, there are 2 categories/,
    ],
    ['fractions', { kind: Float64Array.of(0.5, 1, 2, 3) }, /obs\/kind holds no classes/],
  ])('with %s are refused', async (_, obs, message) => {
    await expect(open({ obs: obs! }, { label: 'kind' })).rejects.toThrow(message);
  });
});

describe('cells that are wanted', () => {
  const obs = { kind: kinds, day: Int32Array.of(0, 1, 1, 2) };

  test('are told by values of columns; classes and scale are theirs', async () => {
    const source = await open({ obs }, { label: 'kind', where: { day: ['0', '2'], kind: ['T'] } });
    expect(source).toMatchObject({ count: 1, classNames: ['T'] });
    expect(source.unused).toEqual([
      { what: 'unselected cell', count: 3, examples: [1, 2, 3].map((i) => `cell ${i} (cell-${'abcd'[i]})`) },
    ]);
    expectCells(source, [NORMALIZED[0]!]);
    expect((source.record as ExpressionRecord).totals).toHaveLength(1);
  });

  test('may have no damaged values, others may', async () => {
    const X = [COUNTS[0]!, [NaN, 1, 0, 0], ...COUNTS.slice(2)];
    await expect(open({ X, obs }, { where: { day: ['1'] } })).rejects.toThrow(
      /cell 1 .* has NaN for gene g0/,
    );
    expect((await open({ X, obs }, { where: { day: ['0', '2'] } })).count).toBe(2);
  });

  test('are all where no value is asked for that is not there', async () => {
    await expect(open({ obs }, { where: { day: ['3'] } })).rejects.toThrow(
      /data\.where: no cell has 3 in obs\/day\. It has 0, 1, 2/,
    );
    await expect(open({ obs }, { where: { dax: ['3'] } })).rejects.toThrow(
      /obs has no column dax.*Did you mean "day"/,
    );
    await expect(open({ obs }, { where: { day: ['0'], kind: ['B'] } })).rejects.toThrow(
      /no cell is left: 4 unselected cells/,
    );
  });

  test('are fewer by the few that cannot be used, under the policy that skips them', async () => {
    const cells = 40;
    const X = Array.from({ length: cells }, (_, i) => [i + 1, 1, 0, 2]);
    X[3] = [1, Infinity, 0, 0];
    const codes = Array.from({ length: cells }, (_, i) => (i === 7 ? -1 : i % 2));
    const written = path();
    await writeTiny(written, { X, cells, genes: TINY.genes, obs: { kind: { ...kinds, codes } } });
    const source = await openCells(written, { label: 'kind' }, { onBadSample: 'skip' });
    expect(source.count).toBe(38);
    expect(source.unused?.map(({ what, count }) => `${count} ${what}`)).toEqual([
      '1 unlabelled cell',
      '1 damaged cell',
    ]);
    const failsBy = async (onBadSample: 'fail' | 'skip'): Promise<boolean> =>
      (await checkSamples(source, { onBadSample })).findings.some(
        ({ status, text }) => status === 'fail' && text.startsWith('Training refuses the 1 '),
      );
    expect([await failsBy('fail'), await failsBy('skip')]).toEqual([true, false]);
    expect(source.unused?.map(({ advice }) => advice).join()).toMatch(
      /Fill in obs\/kind.*has Infinity for gene g1/,
    );
    await expect(openCells(written, { label: 'kind' })).rejects.toThrow(/have no value in obs\/kind/);
    const other = path();
    await writeTiny(other, { X: X.map(() => [NaN, 0, 0, 1]), cells, genes: TINY.genes });
    await expect(openCells(other, {}, { onBadSample: 'skip' })).rejects.toThrow(/has NaN for gene g0/);
  });
});

describe('cells that are held out', () => {
  const cells = 8;
  const file = {
    X: Array.from({ length: cells }, (_, i) => [i + 1, 1, 0, 2]),
    cells,
    obs: { kind: { codes: [0, 0, 0, 0, 1, 1, 1, 1], categories: ['B', 'T'] } },
  };

  test('are the same share of every class, and never trained on', async () => {
    const settings = { label: 'kind', holdOut: 0.25 };
    const trained = await open(file, settings);
    const held = await open(file, { ...settings, split: 'held-out' });
    const names = (source: Source): string[] =>
      Array.from({ length: source.count }, (_, index) => source.describe!(index));
    expect(held.count).toBe(2);
    expect([...names(trained), ...names(held)].toSorted()).toEqual(
      Array.from({ length: cells }, (_, i) => `cell ${i} (cell-${'abcdefgh'[i]})`),
    );
    expect(names(held).map((name) => Number(name.split(' ')[1]) < 4)).toEqual([true, false]);
    expect(held.record).toEqual(trained.record);
    expect(trained.remarks).toEqual([]);
  });

  test('leave one of each class to train on, which is said', async () => {
    const obs = { kind: { codes: [0, 1, 1, 1, 1, 1, 1, 1], categories: ['rare', 'T'] } };
    for (const holdOut of [0.1, 0.5, 0.9]) {
      const source = await open({ ...file, obs }, { label: 'kind', holdOut });
      expect((source.record as ExpressionRecord).cells![0]).toBe(1);
      expect(source.remarks).toContain('No cell is held out of rare: it has too few.');
    }
  });
});
