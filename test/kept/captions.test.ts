// A shared model of captions goes on with pictures and captions that its run has with it, as bytes and as byte-pairs that it learnt.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { sample } from '../../src/api/sample.ts';
import { shareRun } from '../../src/api/share/run.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput, RunConfig } from '../../src/config/config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { type KeptConfig, keptConfig } from '../../src/kept/config.ts';
import { type RunData, runData } from '../../src/kept/data.ts';
import { MemoryFolder } from '../../src/kept/folder.ts';
import { checkpointOfShared } from '../../src/kept/from-shared.ts';
import { KeptRun } from '../../src/kept/run.ts';
import { verifyCheckpoint } from '../../src/runs/checkpoint.ts';
import { readRun } from '../../src/runs/run-folder.ts';
import { type SharedFiles, readShare } from '../../src/share/read.ts';
import { openArray } from '../../src/sources/array-source.ts';
import { arraySource } from '../../src/sources/arrays.ts';
import { locatedData } from '../../src/sources/in-run.ts';
import type { ArrayData } from '../../src/sources/settings.ts';
import { completeTraining } from '../../src/train/complete.ts';
import { conditioningOf } from '../../src/train/conditioning.ts';
import { createModel } from '../../src/train/create-model.ts';
import { temporaryFolder } from '../support/cli.ts';
import { here, trainKept } from '../support/kept-run.ts';
import { toDisk } from '../support/kept-to-disk.ts';
import { randomValues } from '../support/random.ts';
import { checkpointBytes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const long = { timeout: 120_000 };
const tokenizers = ['bytes', 'byte-pairs'] as const;
const shared = new Map<string, SharedFiles>();

beforeAll(async () => {
  const folder = await temporaryFolder();
  const page = join(folder, 'page');
  await mkdir(page);
  await writeFile(join(page, 'index.html'), '<!doctype html>');
  for (const tokenizer of tokenizers) {
    const source = arraySource({
      images: Float32Array.from(randomValues(8 * 64, 3)),
      shape: [1, 8, 8],
      captions: Array.from({ length: 8 }, (_, i) => `a ${i % 2 === 0 ? 'dark' : 'bright'} picture`),
    });
    const text = { tokenizer, vocabulary: 530, length: 12, width: 8, depth: 1, heads: 2 };
    const { run } = await train(
      {
        name: tokenizer,
        data: { source: 'custom' },
        model: { kind: 'text-dit', width: 16, depth: 1, heads: 2, patchSize: 4, text },
        train: { steps: 2, batchSize: 4, sampleEvery: 0 },
        sample: { steps: 2, perClass: 1 },
      },
      { runs: join(folder, 'runs'), source, backend },
    );
    const { folder: at } = await shareRun(run, { to: join(folder, tokenizer), page, backend });
    const read = async (file: string): Promise<ArrayBuffer> =>
      Uint8Array.from(await readFile(join(at, file))).buffer;
    shared.set(tokenizer, await readShare(read));
  }
}, 60_000);

/** Some with several captions, one of which is drawn in each epoch. */
function foxes(): RunData {
  const images = Uint8Array.from({ length: 9 * 64 }, (_, i) => (i * 7) % 256);
  const captions = Array.from({ length: 9 }, (_, i) =>
    i % 3 === 0 ? [`fox ${i}`, 'ein fuchs', 'a “fox”\nin two lines'] : `a red fox, number ${i}`,
  );
  return runData({ images, shape: [1, 8, 8], captions });
}

function configOf(data: RunData, { manifest }: SharedFiles): KeptConfig {
  const { model, flow } = manifest.config;
  const training = completeTraining(
    {
      model,
      flow,
      ema: { ramp: false, decay: 0.2 },
      heldOut: { count: 2, every: 3 },
      sample: { steps: 1, perClass: 1 },
      train: { steps: 6, batchSize: 4, logEvery: 1, checkpointEvery: 3, sampleEvery: 3 },
    },
    data.source,
  );
  return keptConfig(training, { name: 'foxes', data: data.settings, precision: 'fp32' });
}

/** @param until the step; 0: it has the checkpoint that it begins with alone */
async function begun(files: SharedFiles, until: number): Promise<MemoryFolder> {
  const folder = new MemoryFolder('foxes');
  const data = foxes();
  const config = configOf(data, files);
  const { text } = conditioningOf(config.model, files.manifest.data.tokenizer);
  const model = createModel(config.model, text);
  const run = await KeptRun.create(folder, { config, data, ...here });
  await run.save(checkpointOfShared({ config, ...files, model }), config.train);
  if (until > 0) expect(await trainKept(run, until)).toEqual([]);
  return folder;
}

const onDisk = async (folder: MemoryFolder): Promise<string> =>
  toDisk(folder, join(await temporaryFolder(), 'foxes'));

describe('a run with captions in its folder', () => {
  for (const tokenizer of tokenizers)
    it(`goes on, with ${tokenizer}, by the page and by the command line to the same bits`, long, async () => {
      const files = shared.get(tokenizer)!;
      const whole = await onDisk(await begun(files, 6));
      for (const until of [0, 3]) {
        const run = await onDisk(await begun(files, until));
        const notices: string[] = [];
        await resume(run, { backend, onNotice: (text) => notices.push(text) });
        expect(notices).toEqual(until > 0 ? [] : [expect.stringContaining('the imported weights')]);
        expect(await checkpointBytes(run, 6)).toEqual(await checkpointBytes(whole, 6));
      }
      const again = await begun(files, 3);
      expect(await trainKept(await KeptRun.open(again), 6)).toEqual([]);
      expect(await checkpointBytes(await onDisk(again), 6)).toEqual(await checkpointBytes(whole, 6));
      const { state } = await verifyCheckpoint(join(whole, 'checkpoints/step-0000006'));
      const { tokenizer: learnt } = files.manifest.data;
      expect(learnt === undefined).toBe(tokenizer === 'bytes');
      expect(state['data']).toMatchObject({
        told: 'caption',
        count: 9,
        ...(learnt && { tokenizer: learnt }),
      });
      const { values } = await sample(whole, { prompts: ['a red fox'], count: 1, steps: 1, backend });
      expect(values).toHaveLength(64);
    });

  it('has settings, captions and a fingerprint as the command line reads them', long, async () => {
    const run = await onDisk(await begun(shared.get('bytes')!, 0));
    const { config } = await readRun(run);
    expect(resolveConfig(config as ConfigInput)).toEqual(config);
    const { sample: asked, data } = config as RunConfig;
    expect(asked.prompts.slice(0, 2)).toEqual(['fox 0', 'a red fox, number 1']);
    const source = await openArray(locatedData(data, run) as ArrayData);
    const mine = foxes().source;
    expect(await source.fingerprint!()).toBe(await mine.fingerprint!());
    const values = new Float32Array(64);
    for (let epoch = 0; epoch < 3; epoch++)
      for (let i = 0; i < 9; i++) {
        const key = { seed: 1, epoch };
        expect(await mine.read(i, values, 0, key)).toEqual(await source.read(i, values, 0, key));
        expect(await mine.caption!(i)).toEqual(await source.caption!(i));
      }
    await source.close?.();
  });

  it('is another set where a caption is another, and damaged where a line holds none', async () => {
    const folder = await begun(shared.get('bytes')!, 0);
    const run = await KeptRun.open(folder);
    const before = await (await run.data()).source.fingerprint!();
    const file = 'data/captions.jsonl';
    const text = new TextDecoder().decode(await folder.read(file));
    const write = (changed: string): Promise<void> => folder.write(file, [new TextEncoder().encode(changed)]);
    await write(text.replace('number 8', 'number 9'));
    expect(await (await run.data()).source.fingerprint!()).not.toBe(before);
    for (const bad of ['5', '[]', 'fox', '{"text": "fox"}']) {
      await write(text.replace(/\n.*\n/, `\n${bad}\n`));
      await expect(run.data()).rejects.toThrow('foxes/data/captions.jsonl: line 2 holds no caption.');
    }
    await write(text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1));
    await expect(run.data()).rejects.toThrow('pictures: there are 9 images and 8 captions');
    await folder.remove(file);
    await expect(run.data()).rejects.toThrow('foxes/data/captions.jsonl: no such file');
  });
});
