// The positional table of a file of weights is compared with what the model computes, for whatever image size that was.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  type ImportOptions,
  type StoredTensors,
  importRun,
  sample,
  writeSafetensors,
} from '../../src/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { latestCheckpoint, readCheckpointPart } from '../../src/runs/checkpoint.ts';
import { checkpointFolder } from '../../src/runs/run-folder.ts';
import type { ImageModel } from '../../src/train/settings.ts';
import { temporaryFolder } from '../support/cli.ts';
import { tinyDiT } from '../support/models.ts';
import { storedWeights } from '../support/stored-weights.ts';

const weights = storedWeights(tinyDiT());

interface Result {
  readonly run: string;
  readonly config: ImageModel;
  readonly weights: StoredTensors;
  readonly notices: string[];
}

async function importedFrom(tensors: StoredTensors, options: ImportOptions = {}): Promise<Result> {
  const folder = await temporaryFolder();
  const path = join(folder, 'weights.safetensors');
  await writeSafetensors(path, tensors);
  const notices: string[] = [];
  const { run, model: config } = await importRun(path, {
    heads: 2,
    imageSize: [8, 12],
    convention: 'rectiflow',
    runs: join(folder, 'runs'),
    onNotice: (notice) => void notices.push(notice),
    ...options,
  });
  const saved = await latestCheckpoint(checkpointFolder(run));
  return { run, config, weights: await readCheckpointPart(saved, 'model'), notices };
}

it('weights may be given another image size than they were trained at', async () => {
  const imageSize = [8, 8] as const;
  const result = await importedFrom(weights, { imageSize });
  expect(result.config).toMatchObject({ imageSize });
  expect(result.notices.join()).toMatch(
    /were trained at another image size, of 6 tokens: the positional table of the 4 of 8x8 is computed/,
  );
  const [table] = tinyDiT({ imageSize }).tables;
  expect(result.weights.get('pos_embed')).toEqual({
    dtype: 'F32',
    shape: [1, 4, 16],
    data: table!.values(),
  });
  expect(new Map([...result.weights, ['pos_embed', weights.get('pos_embed')!]])).toEqual(weights);
  const { values, shape } = await sample(result.run, { count: 1, steps: 1, backend: referenceBackend() });
  expect([shape, values.length]).toEqual([[2, 8, 8], 3 * 2 * 8 * 8]);
});

it('weights are not given an image size that their patches do not divide', async () => {
  await expect(importedFrom(weights, { imageSize: [8, 10] })).rejects.toThrow(
    'the image size must be a multiple of the patch size 4 on both sides, got 8 x 10',
  );
});

it('weights with another positional table are refused: they are of another model', async () => {
  const { shape, data } = weights.get('pos_embed')!;
  const learnt = (data as Float32Array).map((value, i) => value + 0.01 * Math.sin(i));
  const given = new Map([...weights, ['pos_embed', { dtype: 'F32', shape, data: learnt }]] as const);
  await expect(importedFrom(given)).rejects.toThrow(
    /weights\.safetensors: pos_embed \[1, 6, 16\] is another table than the fixed one that this model computes/,
  );
});
