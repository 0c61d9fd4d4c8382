import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readAutoencoder } from '../../../src/api/autoencoder.ts';
import { encodeData } from '../../../src/api/encode.ts';
import { reflow } from '../../../src/api/reflow/reflow.ts';
import { sample } from '../../../src/api/sample.ts';
import { measureStraightness } from '../../../src/api/straightness.ts';
import { train } from '../../../src/api/train.ts';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import { compareSteps } from '../../../src/report/compare-steps.ts';
import { latestCheckpoint } from '../../../src/runs/checkpoint.ts';
import { openPairs } from '../../../src/sources/pairs.ts';
import { sizeOf } from '../../../src/tensor/shape.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { writePhotos } from '../../support/photos.ts';

const backend = referenceBackend();
const autoencoder = 'test/golden/autoencoders/kl';
let folder: string;
let run: string;
let student: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  const photos = await writePhotos(join(folder, 'photos'), 6);
  const latents = join(folder, 'latents');
  await encodeData({ data: { source: 'folder', path: photos, size: 8 } }, latents, { autoencoder, backend });
  const config = {
    name: 'latent',
    data: { source: 'latents', path: latents },
    model: { width: 16, depth: 1, heads: 2, patchSize: 2 },
    train: { steps: 4, batchSize: 4, sampleEvery: 0, checkpointEvery: 0 },
    sample: { steps: 2, perClass: 2 },
  } as const;
  ({ run } = await train(config, { runs: join(folder, 'runs'), backend }));
  const options = { runs: join(folder, 'runs'), folder: join(folder, 'pairs'), pairs: 6, backend };
  student = (await reflow(run, options)).training.run;
}, 60_000);

describe('reflow of a model of latents', () => {
  it('has pairs where the samples of the model lie, in the scale that it sees', async () => {
    const pairs = await openPairs({ source: 'pairs', path: join(folder, 'pairs') });
    const { state } = await latestCheckpoint(join(run, 'checkpoints'));
    const { record } = state['data'] as { record: object };
    expect(record).toMatchObject({ kind: 'latents', scale: 0.18215 });
    expect(pairs.record).toEqual(record);
    const x0 = new Float32Array(sizeOf(pairs.shape));
    const { label } = await pairs.read(0, x0, 0, { seed: 0, epoch: 0 });
    const told = label === undefined ? {} : { labels: [label] };
    const { values } = await sample(run, { backend, count: 1, ...told, decode: false });
    expect(x0).toEqual(values.slice(0, x0.length));
    await pairs.close!();
  });

  it('keeps the autoencoder, so that samples are pictures still, also without the first run', async () => {
    const { fingerprint } = await readAutoencoder(autoencoder);
    expect((await readAutoencoder(join(student, 'autoencoder'))).fingerprint).toBe(fingerprint);
    expect(existsSync(join(student, 'samples', 'step-0000004.png'))).toBe(true);
    const before = await sample(student, { backend, count: 1 });
    expect(before.pictures!.shape[0]).toBe(3);
    expect((await measureStraightness(student, { backend, count: 2, steps: 3 })).deviation).toBeGreaterThan(
      0,
    );
    const { files } = await compareSteps([run, student], { backend, count: 2, evaluations: [1] });
    expect(existsSync(files.samples!)).toBe(true);
    await rm(run, { recursive: true });
    expect(await sample(student, { backend, count: 1 })).toEqual(before);
  });
});
