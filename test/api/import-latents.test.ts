import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAutoencoder, readAutoencoder } from '../../src/api/autoencoder.ts';
import { exportRun } from '../../src/api/export/run.ts';
import { importRun } from '../../src/api/import/run.ts';
import { sample } from '../../src/api/sample.ts';
import { writeSafetensors } from '../../src/formats/safetensors-file.ts';
import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { toLatents } from '../../src/data/latents.ts';
import { dataOf } from '../../src/known/data-record.ts';
import { DiT } from '../../src/models/dit.ts';
import { latestCheckpoint } from '../../src/runs/checkpoint.ts';
import { checkpointFolder } from '../../src/runs/run-folder.ts';
import { temporaryFolder } from '../support/cli.ts';
import { storedWeights } from '../support/stored-weights.ts';

const kl = 'test/golden/autoencoders/kl';
const tiny = 'test/golden/autoencoders/tiny';
const plain = { heads: 2, imageSize: [4, 4], convention: 'sit' } as const;

let root: string;
let weights: string;
let backend: Backend;
beforeAll(async () => {
  root = await temporaryFolder();
  backend = referenceBackend();
  weights = join(root, 'sit.safetensors');
  const model = new DiT({
    width: 16,
    depth: 1,
    heads: 2,
    patchSize: 2,
    channels: 4,
    imageSize: [4, 4],
    classes: 2,
  });
  await writeSafetensors(weights, storedWeights(model));
});
afterAll(() => backend.dispose());

const runs = (): string => join(root, 'runs');

describe('what is refused', () => {
  test('an autoencoder of other channels, or that is none', async () => {
    const model = new DiT({
      width: 16,
      depth: 1,
      heads: 2,
      patchSize: 2,
      channels: 3,
      imageSize: [4, 4],
      classes: 2,
    });
    const other = join(root, 'of-three.safetensors');
    await writeSafetensors(other, storedWeights(model));
    await expect(importRun(other, { ...plain, runs: runs(), autoencoder: kl })).rejects.toThrow(
      /kl: makes latents of 4 channels, the model of .*of-three\.safetensors learns 3\. Give the autoencoder/,
    );
    await expect(importRun(weights, { ...plain, runs: runs(), autoencoder: root })).rejects.toThrow(
      /has no config\.json, and no \*_encoder\.pth/,
    );
    expect(existsSync(runs())).toBe(false);
  });

  test('another autoencoder than that of the weights, which a file of ours knows', async () => {
    const { run } = await importRun(weights, { ...plain, runs: join(root, 'known'), autoencoder: kl });
    const exported = join(root, 'exported.safetensors');
    await exportRun(run, { to: exported });
    await expect(importRun(exported, { runs: runs(), autoencoder: tiny })).rejects.toThrow(
      /tiny: is another autoencoder \(\w{12}\) than the one whose latents the weights know \(\w{12}\)/,
    );
    const { run: again } = await importRun(exported, { runs: join(root, 'again'), autoencoder: kl });
    expect(existsSync(join(again, 'autoencoder/config.json'))).toBe(true);
  });
});

test('a model of latents has the scale of its autoencoder, keeps it, and makes pictures', async () => {
  const { run } = await importRun(weights, { ...plain, runs: join(root, 'kept'), autoencoder: kl });
  const { fingerprint } = await readAutoencoder(kl);
  const { record } = dataOf(await latestCheckpoint(checkpointFolder(run)));
  expect(record).toEqual({ kind: 'latents', scale: 0.18215, shift: 0, autoencoder: fingerprint });
  expect((await readAutoencoder(join(run, 'autoencoder'))).fingerprint).toBe(fingerprint);
  const { pictures, values, shape } = await sample(run, {
    count: 1,
    labels: [1],
    steps: 1,
    guidance: 1,
    backend,
  });
  const opened = await openAutoencoder(kl, { backend });
  const { images } = await opened.decode(
    toLatents(values, { scale: 0.18215, shift: 0 }, shape),
    [1, 4, 4, 4],
  );
  await opened.dispose();
  expect(pictures).toEqual({ values: images, shape: [3, 8, 8] });
});

test('a scale that is given goes before that of the autoencoder', async () => {
  const latents = { scale: [1, 2, 3, 4], shift: 0.5 };
  const { run } = await importRun(weights, { ...plain, runs: join(root, 'given'), autoencoder: kl, latents });
  expect(dataOf(await latestCheckpoint(checkpointFolder(run))).record).toMatchObject(latents);
});
