// A run meets its data again: what is other than it was is mapped, said or refused.
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkData } from '../../src/api/data.ts';
import { diagnose } from '../../src/api/doctor/diagnose.ts';
import { replay } from '../../src/api/replay.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { dataOf } from '../../src/known/data-record.ts';
import { verifyCheckpoint } from '../../src/runs/checkpoint.ts';
import { dataOfRecord } from '../../src/known/known-data.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { rewriteState } from '../support/checkpoint-state.ts';
import { temporaryFolder } from '../support/cli.ts';
import { writeTiny } from '../support/h5ad.ts';
import { plain } from '../sources/images/pictures.ts';

const backend = referenceBackend();
const animals = ['cat', 'dog', 'owl'];
let before: string;

/** Three classes of three images, and a run that was trained on them for two of its four steps. */
async function pets(): Promise<{ photos: string; run: string }> {
  const folder = await temporaryFolder();
  await cp(before, folder, { recursive: true });
  const run = join(folder, 'pets');
  const file = join(run, 'config.json');
  await writeFile(file, (await readFile(file, 'utf8')).replaceAll(before, folder));
  return { photos: join(folder, 'photos'), run };
}

async function resumed(run: string, options: { acceptData?: boolean } = {}): Promise<string[]> {
  const notices: string[] = [];
  await resume(run, { ...options, backend, onNotice: (text) => notices.push(text) });
  return notices.filter((text) => !text.includes('config.json'));
}

async function recordOf(run: string, step: number) {
  return dataOf(await verifyCheckpoint(join(run, 'checkpoints', `step-000000${step}`)));
}

async function train2Of4(config: ConfigInput, runs: string): Promise<string> {
  const controller = new AbortController();
  const onStep = ({ step }: { step: number }): void => {
    if (step === 2) controller.abort();
  };
  const more: ConfigInput = {
    model: { width: 16, depth: 1, heads: 2, ...config.model },
    sample: { steps: 1, perClass: 1 },
    train: { steps: 4, batchSize: 4, logEvery: 1, sampleEvery: 0, checkpointEvery: 0 },
  };
  return (await train({ ...config, ...more }, { runs, backend, signal: controller.signal, onStep })).run;
}

beforeAll(async () => {
  before = await temporaryFolder();
  for (const [label, animal] of animals.entries()) {
    await mkdir(join(before, 'photos', animal), { recursive: true });
    for (let i = 0; i < 3; i++) {
      const file = join(before, 'photos', animal, `${i}.png`);
      await writeFile(
        file,
        await plain({ r: 80 * label, g: 40 * i, b: 9 })
          .png()
          .toBuffer(),
      );
    }
  }
  const data = { source: 'folder', path: join(before, 'photos'), size: 8 } as const;
  await train2Of4({ name: 'pets', data, model: { patchSize: 4 } }, before);
});

describe('a run on a folder of images', () => {
  it('goes on without a word where nothing has changed, and records what it knows', async () => {
    const { run } = await pets();
    expect(await resumed(run)).toEqual([]);
    expect(await recordOf(run, 4)).toMatchObject({
      classNames: animals,
      told: 'class',
      shape: [3, 8, 8],
      count: 9,
      fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('refuses a class that was renamed, goes on where that is accepted, and records it', async () => {
    const { photos, run } = await pets();
    await rename(join(photos, 'cat'), join(photos, 'zebra'));
    await expect(resumed(run)).rejects.toThrow(
      /the class "cat" is missing, the class "zebra" is new\. .*--accept-data/,
    );
    await expect(replay(run, 1, 2, { backend })).rejects.toThrow(/the class "cat" is missing/);
    const notices = await resumed(run, { acceptData: true });
    expect(notices[0]).toMatch(/accepted, which takes "zebra" for "cat"/);
    expect(await recordOf(run, 4)).toMatchObject({
      classNames: ['zebra', 'dog', 'owl'],
      accepted: [{ step: 2, text: expect.stringContaining('zebra') }],
    });
    expect(await readFile(join(run, 'notices.log'), 'utf8')).toContain('takes "zebra" for "cat"');
  });

  it('is told by data check and doctor, given the config of the run', async () => {
    const { photos, run } = await pets();
    const file = join(run, 'config.json');
    const known = await dataOfRecord(file);
    const { config, origin } = await loadConfig(file);
    const options = { origin, known };
    expect((await checkData(config, options)).findings.filter(({ text }) => text.includes('set'))).toEqual(
      [],
    );
    await rename(join(photos, 'cat'), join(photos, 'zebra'));
    const renamed = {
      status: 'fail',
      text: expect.stringMatching(/"cat" is missing, the class "zebra" is new/),
    };
    expect((await checkData(config, options)).findings[0]).toMatchObject({ about: 'data', ...renamed });
    const checks = await diagnose(config, { ...options, backend });
    expect(checks.at(-1)).toMatchObject({ name: 'data', ...renamed });
    await rename(join(photos, 'zebra'), join(photos, 'cat'));
    await rm(join(photos, 'cat', '0.png'));
    expect((await checkData(config, options)).findings[0]).toEqual({
      about: 'data',
      status: 'warn',
      text: `${photos}: the set had 9 samples, now it has 8.`,
    });
  });

  it('goes on with a set that shrank, in a new epoch', async () => {
    const { photos, run } = await pets();
    for (const animal of animals) await rm(join(photos, animal, '0.png'));
    expect(await resumed(run)).toEqual([
      `${photos}: the set had 9 samples, now it has 6.`,
      `${photos}: the epoch that was under way ends here, and the next one, of 6 samples, begins.`,
    ]);
    const { state } = await verifyCheckpoint(join(run, 'checkpoints', 'step-0000004'));
    // Eight of the second epoch's six.
    expect(state).toMatchObject({ position: { epoch: 2, offset: 2 } });
  });

  it('says that images were replaced', async () => {
    const { photos, run } = await pets();
    await writeFile(join(photos, 'cat', '0.png'), await plain('#ffffff', 16, 16).png().toBuffer());
    expect(await resumed(run)).toEqual([expect.stringMatching(/9 samples as before, but not the same ones/)]);
  });

  it('goes on from a checkpoint of an earlier version, which knows less', async () => {
    const { run } = await pets();
    const checkpoint = join(run, 'checkpoints', 'step-0000002');
    await rewriteState(checkpoint, ({ state, ...members }) => ({
      ...members,
      state: { ...state, data: { classNames: animals } },
    }));
    expect(await resumed(run)).toEqual([]);
  });

  it('is not stuck where such a one is beyond the end of the set', async () => {
    const { photos, run } = await pets();
    const checkpoint = join(run, 'checkpoints', 'step-0000002');
    await rewriteState(checkpoint, ({ state, ...members }) => ({
      ...members,
      state: { ...state, data: { classNames: animals } },
    }));
    for (const animal of animals) await rm(join(photos, animal, '0.png'));
    expect(await resumed(run)).toEqual([expect.stringMatching(/the epoch that was under way ends here/)]);
  });
});

describe('a run on cells', () => {
  const genes = ['CD3', 'LYZ', 'NKG7', 'ACTB'];
  const X = Array.from({ length: 8 }, (_, cell) =>
    genes.map((_gene, gene) => (7 * cell + 3 * gene * gene) % 11),
  );

  async function cells(): Promise<{ path: string; run: string }> {
    const folder = await temporaryFolder();
    const path = join(folder, 'cells.h5ad');
    await write(path, genes, ['T', 'B']);
    const data = { source: 'expression', path, label: 'kind', target: 20 } as const;
    return { path, run: await train2Of4({ name: 'cells', data, model: { groupSize: 2 } }, folder) };
  }

  /** The same cells, whatever the order of genes and categories. */
  async function write(path: string, order: readonly string[], categories: readonly string[]): Promise<void> {
    const rows = X.map((row) => order.map((gene) => row[genes.indexOf(gene)]!));
    const codes = X.map((_, cell) => categories.indexOf(cell % 2 === 0 ? 'T' : 'B'));
    await writeTiny(path, { X: rows, cells: 8, genes: order, obs: { kind: { codes, categories } } });
  }

  it('takes genes and classes by name where they stand in another order, with the same numbers', async () => {
    const [same, other] = [await cells(), await cells()];
    expect(await resumed(same.run)).toEqual([]);
    await write(other.path, genes.toReversed(), ['B', 'T']);
    expect(await resumed(other.run)).toEqual([
      `${other.path}: its classes stand in another order: labels are taken by name.`,
      `${other.path}: its genes stand in another order: values are taken by name.`,
    ]);
    expect((await recordOf(other.run, 4)).record).toEqual((await recordOf(same.run, 4)).record);
    const losses = async (run: string): Promise<number[]> =>
      (await readFile(join(run, 'metrics.jsonl'), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).loss);
    const [wanted, found] = [await losses(same.run), await losses(other.run)];
    for (const [i, loss] of wanted.entries()) expect(found[i]).toBeCloseTo(loss, 5);
  });

  it('keeps its most variable genes where others are so in a set that has grown', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'cells.h5ad');
    await write(path, genes, ['T', 'B']);
    const data = { source: 'expression', path, label: 'kind', target: 20, variableGenes: 2 } as const;
    const run = await train2Of4({ name: 'cells', data, model: { groupSize: 2 } }, folder);
    const { record } = await recordOf(run, 2);
    const chosen = record!['genes'] as string[];
    const others = genes.filter((gene) => !chosen.includes(gene));
    const file = join(run, 'config.json');
    const settings = await readFile(file, 'utf8');
    await writeFile(file, settings.replace('"variableGenes": 2', '"variableGenes": 3'));
    // Now the others vary, and those do not.
    const rows = X.map((row, cell) =>
      genes.map((gene, i) => (others.includes(gene) ? 10 * (cell % 3) : 1 + (row[i]! > 5 ? 1 : 0))),
    );
    const obs = { kind: { codes: X.map((_, cell) => cell % 2), categories: ['T', 'B'] } };
    await writeTiny(path, { X: rows, cells: 8, genes, obs });
    expect(await resumed(run)).toEqual([
      'the model keeps its 2 genes: data.variableGenes 3 is for a new run.',
      expect.stringMatching(/other means or deviations: values keep the checkpoint's scale/),
      expect.stringMatching(/8 samples as before, but not the same ones/),
    ]);
    expect((await recordOf(run, 4)).record).toEqual(record);
  });

  it('refuses genes that are missing', async () => {
    const { path, run } = await cells();
    await write(path, ['CD3', 'LYZ', 'NKG7'], ['T', 'B']);
    await expect(resumed(run, { acceptData: true })).rejects.toThrow(/the gene ACTB is missing, of the 4/);
  });
});
