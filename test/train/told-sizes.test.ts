import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exportRun } from '../../src/api/export/run.ts';
import { sample } from '../../src/api/sample.ts';
import { resume, train } from '../../src/api/train.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import type { Source } from '../../src/data/source.ts';
import { temporaryFolder } from '../support/cli.ts';
import { sizedStripes } from '../support/sized.ts';
import { checkpointDigests } from '../support/tiny-run.ts';

describe('a run of a model that is told sizes and crops', () => {
  const config = {
    name: 'told',
    data: { source: 'custom' },
    model: {
      width: 16,
      depth: 1,
      heads: 2,
      patchSize: 4,
      channels: 1,
      imageSize: 12,
      classes: 3,
      sizeConditioning: true,
    },
    train: { steps: 6, batchSize: 4, logEvery: 1, sampleEvery: 0, checkpointEvery: 3 },
    optimizer: { learningRate: 1e-2 },
    sample: { steps: 1, perClass: 1, labels: [0] },
    heldOut: { count: 4, every: 6 },
    backend: { name: 'reference' },
  } as const satisfies ConfigInput;
  /** Told by the source where it is asked. */
  const placed = (): Source => {
    const source = sizedStripes(17);
    return {
      ...source,
      async read(index, out, offset, key) {
        const annotation = await source.read(index, out, offset, key);
        const placement = { original: [50 + index, 70], crop: [index, 3] } as const;
        return key.placement ? { ...annotation, placement } : annotation;
      },
    };
  };

  it('goes on to the bit, learns what it is told, and is sampled with other sizes and crops', async () => {
    const runs = await temporaryFolder();
    const { run: whole } = await train(config, { runs, source: placed() });
    const stopping = new AbortController();
    const { run: cut, step } = await train(config, {
      runs,
      source: placed(),
      signal: stopping.signal,
      onStep: ({ step: done }) => void (done === 3 && stopping.abort()),
    });
    expect(step).toBeLessThan(6);
    await resume(cut, { source: placed() });
    expect(await checkpointDigests(cut, 6)).toEqual(await checkpointDigests(whole, 6));
    const { run: untold } = await train(config, { runs, source: sizedStripes(17) });
    expect(await checkpointDigests(untold, 6)).not.toEqual(await checkpointDigests(whole, 6));
    const options = { labels: [0, 1], count: 2, steps: 2, weights: 'model' } as const;
    const [plain, same, other] = [
      await sample(whole, options),
      await sample(whole, { ...options, placement: { original: [12, 12], crop: [0, 0], target: [12, 12] } }),
      await sample(whole, { ...options, placement: { crop: [300, 200] } }),
    ];
    expect(same.values).toEqual(plain.values);
    expect(other.values).not.toEqual(plain.values);
    const to = join(runs, 'exported.safetensors');
    await expect(exportRun(whole, { to })).rejects.toThrow(
      /is told sizes and crops, which the public release of DiT does not know/,
    );
    await expect(exportRun(whole, { to, layout: 'diffusers' })).rejects.toThrow(/told sizes and crops/);
    await exportRun(whole, { to: join(runs, 'a.onnx'), layout: 'onnx' });
  });

  it('without classes is told sizes alone', async () => {
    const runs = await temporaryFolder();
    const { classes: _, ...unlabelled } = sizedStripes(17);
    const { run: made } = await train(
      { ...config, model: { ...config.model, classes: 0 }, sample: { steps: 1, perClass: 1 } },
      { runs, source: unlabelled },
    );
    const options = { count: 2, steps: 1, weights: 'model' } as const;
    const plain = await sample(made, options);
    const other = await sample(made, { ...options, placement: { original: [500, 700] } });
    expect(other.values).not.toEqual(plain.values);
  });
});

it('a model that is not told sizes refuses them', async () => {
  const runs = await temporaryFolder();
  const { run: made } = await train(
    {
      name: 'plain',
      data: { source: 'custom' },
      model: { width: 8, depth: 1, heads: 1, patchSize: 4, channels: 1, imageSize: 12, classes: 3 },
      train: { steps: 1, batchSize: 2, sampleEvery: 0 },
      sample: { steps: 1, perClass: 1, labels: [0] },
      backend: { name: 'reference' },
    },
    { runs, source: sizedStripes(5) },
  );
  await expect(sample(made, { count: 1, placement: { crop: [1, 1] } })).rejects.toThrow(
    /placement must be left out: the model is not told sizes and crops/,
  );
});
