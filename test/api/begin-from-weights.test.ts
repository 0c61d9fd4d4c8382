import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Beginning, beginFromWeights } from '../../src/api/begin-from-weights.ts';
import { sample } from '../../src/api/sample.ts';
import { resume } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { dataOf } from '../../src/known/data-record.ts';
import { pastOf } from '../../src/known/trained-with.ts';
import { latestCheckpoint, readCheckpointPart } from '../../src/runs/checkpoint.ts';
import { checkpointFolder, readRun } from '../../src/runs/run-folder.ts';
import { createModel } from '../../src/train/create-model.ts';
import type { ModelConfig } from '../../src/train/settings.ts';
import { averageTensor } from '../../src/train/averages.ts';
import { temporaryFolder } from '../support/cli.ts';
import { storedWeights } from '../support/stored-weights.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const config = resolveConfig({
  ...tinyStripes,
  train: { ...tinyStripes.train, steps: 2, precision: 'fp32' },
  ema: { ramp: false, decays: [0.5] },
});
const model = createModel(config.model);
const past = {
  nullTrained: true,
  begunFrom: { run: 'runs/teacher', step: 7, sha256: 'abc', by: 'grow' },
} as const;
const [own, ema] = [storedWeights(model, 1), storedWeights(model, 50)];
const average = new Map(
  model.parameters.map(({ name }) => [averageTensor('0.5', name), storedWeights(model, 90).get(name)!]),
);
const optimizer = new Map(
  ['m', 'v'].flatMap((slot, i) =>
    model.parameters.map(({ name }) => {
      const { data, ...tensor } = storedWeights(model, 200 + 100 * i).get(name)!;
      return [
        `adamw.${slot}/${name}`,
        { ...tensor, data: (data as Float32Array).map((value) => value ** 2) },
      ] as const;
    }),
  ),
);

function beginning(changes: Partial<Beginning> = {}): Beginning {
  return { config, model, weights: { model: own, ema }, data: { classes: 3 }, past, ...changes };
}

describe('a run that begins with given weights', () => {
  it('has a checkpoint of step 0 that holds them, with zeros where no moments are given', async () => {
    const runs = await temporaryFolder();
    const run = await beginFromWeights(beginning(), { runs });
    expect(run).toBe(join(runs, 'stripes'));
    const saved = await latestCheckpoint(checkpointFolder(run));
    expect(saved.step).toBe(0);
    expect(new Map(await readCheckpointPart(saved, 'model'))).toEqual(own);
    expect(new Map(await readCheckpointPart(saved, 'ema'))).toEqual(ema);
    const slots = await readCheckpointPart(saved, 'optimizer');
    expect([...slots.keys()].toSorted()).toEqual([...optimizer.keys()].toSorted());
    for (const { data } of slots.values()) expect(data.every((value) => value === 0)).toBe(true);
    expect(pastOf(saved)).toEqual(past);
    expect(dataOf(saved)).toEqual({ classes: 3 });
    expect(saved.state).toMatchObject({ position: { epoch: 0, offset: 0 }, seconds: 0 });
    expect((await readRun(run)).config).toEqual(config);
  });

  it('holds the averages and the moments that are given', async () => {
    const runs = await temporaryFolder();
    const weights = { model: own, ema, averages: average, optimizer };
    const run = await beginFromWeights(beginning({ weights }), { runs });
    const saved = await latestCheckpoint(checkpointFolder(run));
    expect(new Map(await readCheckpointPart(saved, 'averages'))).toEqual(average);
    expect(new Map(await readCheckpointPart(saved, 'optimizer'))).toEqual(optimizer);
  });

  it('is trained by resume, which says where the weights are from, and so does every checkpoint after', async () => {
    const runs = await temporaryFolder();
    const run = await beginFromWeights(beginning(), { runs });
    const notices: string[] = [];
    const onNotice = (text: string): void => void notices.push(text);
    const { step, finished } = await resume(run, {
      source: stripes(),
      backend: referenceBackend(),
      onNotice,
    });
    expect({ step, finished }).toEqual({ step: 2, finished: true });
    expect(notices).toContain(
      `${run}: training begins with the weights that grow made of runs/teacher, step 7.`,
    );
    expect(notices.join()).toMatch(/has no average 0\.5, which begins with the weights of step 0/);
    expect(pastOf(await latestCheckpoint(checkpointFolder(run)))).toEqual(past);
  });

  it('is sampled with an average that counts as warm', async () => {
    const runs = await temporaryFolder();
    const run = await beginFromWeights(beginning(), { runs });
    const notices: string[] = [];
    const onNotice = (text: string): void => void notices.push(text);
    await sample(run, { count: 1, steps: 1, guidance: 2, backend: referenceBackend(), onNotice });
    expect(notices).toEqual([]);
  });

  it('keeps the tokenizer where it is found now', async () => {
    const runs = await temporaryFolder();
    const tokenizer = join(runs, 'found.json');
    await writeFile(tokenizer, '{}');
    const captions = { kind: 'text-dit', text: { tokenizer } } as ModelConfig;
    const run = await beginFromWeights(beginning({ captions }), { runs });
    expect(await readFile(join(run, 'tokenizer.json'), 'utf8')).toBe('{}');
  });

  it('takes the next free name, and leaves nothing where it cannot be written', async () => {
    const runs = await temporaryFolder();
    await beginFromWeights(beginning(), { runs });
    expect(await beginFromWeights(beginning(), { runs })).toBe(join(runs, 'stripes-2'));
    const broken = new Map([['x', { dtype: 'F32', shape: [2], data: new Float32Array(3) }] as const]);
    const weights = { model: broken, ema };
    await expect(beginFromWeights(beginning({ weights }), { runs })).rejects.toThrow(/x/);
    expect((await readdir(runs)).toSorted()).toEqual(['stripes', 'stripes-2']);
  });
});
