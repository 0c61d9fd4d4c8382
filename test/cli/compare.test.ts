import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeExpression } from '../../src/sources/expression/write.ts';
import { type Finished, rectiflow, temporaryFolder } from '../support/cli.ts';
import { randomValues } from '../support/random.ts';

let folder: string;
const run = (...args: string[]): Promise<Finished> => rectiflow(folder, args);
const small = ['model.width=16', 'model.depth=1', 'model.groupSize=2', 'train.steps=3', 'data.label=kind'];

beforeAll(async () => {
  folder = await temporaryFolder();
  const labels = Array.from({ length: 20 }, (_, cell) => cell % 2);
  await writeExpression(join(folder, 'real.h5ad'), {
    genes: ['CD3', 'CD19', 'LYZ'],
    values: Float32Array.from(randomValues(60, 4), (value) => Math.floor(9 * Math.abs(value))),
    classes: { column: 'kind', names: ['T', 'B'], labels },
  });
});

describe('gene expression from the command line', () => {
  it('is learnt with the recipe, sampled as an .h5ad file, and compared with the cells held out', async () => {
    const settings = [...small, 'data.path=real.h5ad'].flatMap((setting) => ['--set', setting]);
    const trained = await run('train', 'pbmc', '--threads', '1', ...settings);
    expect(trained).toMatchObject({ code: 0, stderr: '' });

    const sampled = await run('sample', 'runs/pbmc', '--labels', 'B', '--count', '2', '--steps', '2');
    expect(sampled).toMatchObject({ code: 0, stderr: '' });
    expect(sampled.stdout).toContain('2 samples of step 3 in samples/pbmc\nLook at samples/pbmc/cells.h5ad');

    const json = ['--json', 'figures.json'];
    const compared = await run('compare', 'runs/pbmc', '--count', '4', '--steps', '2', ...json);
    expect(compared).toMatchObject({ code: 0, stderr: '' });
    expect(compared.stdout).toMatch(
      /^step 3, beside 10 cells held out\n[^]*all: 8 cells of each set, too few[^]*\n {2}generated +[^]*\nT: 4 cells[^]*\nB: 4 cells[^]*Look at runs\/pbmc\/cells\.svg\n$/,
    );
    expect(JSON.parse(await readFile(join(folder, 'figures.json'), 'utf8'))).toMatchObject({
      step: 3,
      heldOut: { cells: 10 },
      all: { cells: 8, trained: { nearTrained: 1 } },
      classes: [{ name: 'T' }, { name: 'B' }],
    });
    expect(await readFile(join(folder, 'runs/pbmc/cells.svg'), 'utf8')).toContain('generated: 8 cells');
  });

  it('says what is wrong: no path, no such column', async () => {
    expect((await run('train', 'pbmc')).stderr).toBe(
      'error: recipe pbmc: data.path: wanted a path, found nothing\n',
    );
    const { code, stderr } = await run('train', 'pbmc', '--set', 'data.path=real.h5ad');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: real.h5ad: obs has no column bulk_labels\. It has kind\.\n$/);
  });
});
