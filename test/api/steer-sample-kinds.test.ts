// Samples that runs of every kind make while they train: what `rectiflow sample` makes of the checkpoint of that step.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Dataset, File, ready } from 'h5wasm/node';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { encodeData } from '../../src/api/encode.ts';
import { sample } from '../../src/api/sample.ts';
import { train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { writeSamples } from '../../src/runner/samples/write-samples.ts';
import { writeExpression } from '../../src/sources/expression/write.ts';
import type { AskedSamples, SteeringEvent, SteeringRequest } from '../../src/steering/event.ts';
import type { TrainResult } from '../../src/train/metrics.ts';
import { temporaryFolder } from '../support/cli.ts';
import { writePhotos } from '../support/photos.ts';
import { pictureFolder } from '../support/picture-folder.ts';
import { onRanks } from '../support/ranks.ts';
import { asking, backend, steerable, steps, unhurried, unhurriedBackend } from '../support/steered-run.ts';
import { tinyAutoencoder } from '../support/tiny-autoencoder.ts';
import { checkpointDigests, stripes } from '../support/tiny-run.ts';

const order = (samples: AskedSamples): SteeringRequest => ({ kind: 'sample', samples });

/** Every step is logged and saved, and no grid is made before the last. */
const training = {
  train: { batchSize: 4, steps: 40, logEvery: 1, sampleEvery: 0, checkpointEvery: 1, keepCheckpoints: 40 },
  loader: { workers: 1, prefetch: 1 },
  sample: { steps: 2, perClass: 2 },
} as const satisfies ConfigInput;
const tinyModel = { width: 16, depth: 1, heads: 2 } as const;

interface Asked {
  readonly run: string;
  readonly events: readonly SteeringEvent[];
}

async function askedWhile(config: ConfigInput, ...requests: readonly SteeringRequest[]): Promise<Asked> {
  let events: Promise<SteeringEvent[]> | undefined;
  let run = '';
  await train(config, {
    runs: await temporaryFolder(),
    backend: unhurriedBackend,
    onStart: (start) => void ({ run } = start),
    onStep: ({ step }) => void (step === 2 && (events = asking(...requests)(run))),
  });
  return { run, events: await events! };
}

/** What `rectiflow sample` writes of the same. @returns the folder */
async function sampled(run: string, { step }: SteeringEvent, asked: AskedSamples): Promise<string> {
  const folder = join(await temporaryFolder(), 'samples');
  await writeSamples(folder, await sample(run, { ...(asked as object), checkpoint: step, backend }));
  return folder;
}

async function pixelsOf(path: string): Promise<Buffer> {
  return sharp(path).raw().toBuffer();
}

describe('samples that are asked for', () => {
  it('of cells are an .h5ad file', async () => {
    const path = join(await temporaryFolder(), 'cells.h5ad');
    const labels = Array.from({ length: 20 }, (_, cell) => cell % 2);
    const genes = ['CD3', 'CD19', 'LYZ', 'NKG7', 'ACTB'];
    const values = Float32Array.from({ length: 100 }, (_, i) => (i * 7) % 13);
    await writeExpression(path, { genes, values, classes: { column: 'kind', names: ['T', 'B'], labels } });
    const data = { source: 'expression', path, label: 'kind', target: 20 } as const;
    const config: ConfigInput = { name: 'cells', data, ...training, model: { ...tinyModel, groupSize: 2 } };
    const few = { labels: ['B'], count: 3 };
    const { run, events } = await askedWhile(config, order(few), order({}));
    expect(events.map(({ made }) => made?.count)).toEqual([3, 20]);
    const numbersOf = async (file: string): Promise<unknown> => {
      await ready;
      const opened = new File(file, 'r');
      const kept = (opened.get('X') as Dataset).value ?? (opened.get('X/data') as Dataset).value;
      opened.close();
      return kept;
    };
    for (const [i, asked] of [few, {}].entries()) {
      const { view } = events[i]!.made!;
      expect(view).toMatch(/^samples\/asked\/step-\d{7}(-2)?\/cells\.h5ad$/);
      const again = join(await sampled(run, events[i]!, asked), 'cells.h5ad');
      expect(await numbersOf(join(run, view))).toEqual(await numbersOf(again));
    }
  });

  it('by captions are of these captions; a caption that is too long is told', async () => {
    const folder = join(await temporaryFolder(), 'squares');
    await mkdir(folder);
    const text = { width: 16, depth: 1, heads: 2, length: 6, vocabulary: 600 };
    for (const [name, background] of Object.entries({ red: '#ff0000', green: '#00ff00' })) {
      await sharp({ create: { width: 8, height: 8, channels: 3, background } })
        .png()
        .toFile(join(folder, `${name}.png`));
      await writeFile(join(folder, `${name}.txt`), `${name} square\n`);
    }
    const data = { source: 'folder', path: folder, size: 8 } as const;
    const config: ConfigInput = {
      name: 'squares',
      data,
      ...training,
      model: { ...tinyModel, patchSize: 4, text },
    };
    const asked = { prompts: ['red', 'a square that is red beyond all measure'], count: 2, weights: 'model' };
    const { run, events } = await askedWhile(config, order(asked), order({ labels: [1] }));
    const [made, refused] = events as [SteeringEvent, SteeringEvent];
    expect(made.samples!.rows).toEqual(asked.prompts.map((caption) => ({ caption })));
    expect(made.sentence).toMatch(/^1 prompt is longer than model.text.length = 6 tokens/);
    const again = await sampled(run, made, asked);
    expect(await pixelsOf(join(run, made.made!.view))).toEqual(await pixelsOf(`${again}.png`));
    expect(await readFile(join(run, made.made!.folder, 'metadata.jsonl'), 'utf8')).toContain('"text":"red"');
    expect(refused).toMatchObject({
      outcome: 'refused',
      sentence: expect.stringContaining('labels must be left out: this model has no classes'),
    });
  });

  it('of latents are decoded', async () => {
    const root = await temporaryFolder();
    const photos = await writePhotos(join(root, 'photos'), 6);
    const path = join(root, 'latents');
    const autoencoder = 'test/golden/autoencoders/kl';
    await encodeData({ data: { source: 'folder', path: photos, size: 8 } }, path, { autoencoder, backend });
    const config: ConfigInput = {
      name: 'latent',
      data: { source: 'latents', path },
      ...training,
      model: { ...tinyModel, patchSize: 2 },
    };
    const { run, events } = await askedWhile(config, order({ count: 3 }));
    const [event] = events as [SteeringEvent];
    const again = await sampled(run, event, { count: 3 });
    expect(await pixelsOf(join(run, event.made!.view))).toEqual(await pixelsOf(`${again}.png`));
  });

  it('of an autoencoder are refused', async () => {
    const data = { source: 'folder', path: await pictureFolder(), channels: 1, size: 16 } as const;
    const few = { ...training, train: { ...training.train, steps: 6 }, sample: {} };
    const { events } = await askedWhile({ ...tinyAutoencoder, ...few, data }, order({}));
    expect(events).toMatchObject([
      { outcome: 'refused', sentence: 'samples: its model makes nothing out of noise' },
    ]);
  });
});

describe('a run of two ranks', () => {
  it('makes them on both, by the weights and their average, and has the bits of one process', async () => {
    const shards = { ...steerable.train, batchSize: 8, shards: 2 };
    const config: ConfigInput = { ...steerable, ema: { decays: [0.5] }, train: shards };
    const asked = [{ weights: 'model', count: 2 }, { count: 3 }, { weights: 'ema:0.5' }];
    const sources = [unhurried(), unhurried()];
    const runs = await temporaryFolder();
    let events: Promise<SteeringEvent[]> | undefined;
    let run = '';
    const results = await onRanks(2, async (communicator): Promise<TrainResult> => {
      const { source } = sources[communicator.rank]!;
      const onStep = ({ step }: { readonly step: number }): void => {
        if (step < 4) return;
        events ??= asking(...asked.map(order))(run).finally(() => sources.forEach(({ hurry }) => hurry()));
      };
      const onStart = (start: { readonly run: string }): void => void ({ run } = start);
      return train(config, { runs, communicator, source, backend: referenceBackend(), onStart, onStep });
    });
    expect(results.map(({ finished }) => finished)).toEqual([true, true]);
    const [model, ema, further] = (await events!) as [SteeringEvent, SteeringEvent, SteeringEvent];
    for (const [event, given] of [
      [model, asked[0]!],
      [ema, asked[1]!],
    ] as const) {
      const again = await sampled(run, event, given);
      expect(await pixelsOf(join(run, event.made!.view))).toEqual(await pixelsOf(`${again}.png`));
    }
    expect(further.sentence).toBe(
      'samples: weights: wanted one of ema, model, as ranks share the others, found "ema:0.5"',
    );
    const plain = await train(config, { runs: await temporaryFolder(), source: stripes(), backend });
    expect(await checkpointDigests(run, steps)).toEqual(await checkpointDigests(plain.run, steps));
  });
});
