import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { sample } from '../../src/api/sample.ts';
import { resume, train } from '../../src/api/train.ts';
import { writeSamples } from '../../src/runner/samples/write-samples.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { digestFile } from '../../src/host/durable.ts';
import { openFolder } from '../../src/sources/images/folder.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointBytes } from '../support/tiny-run.ts';
import { writeWordTokenizer } from '../support/word-tokenizer.ts';

const backend = referenceBackend();
const colours = { red: '#ff0000', green: '#00ff00', 'pale blue': '#8080ff' };
let folder: string;

/** Squares of a colour, 16x16, with the colour's name beside each. */
beforeAll(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder, 'squares'));
  for (const [name, background] of Object.entries(colours)) {
    for (const i of [0, 1]) {
      const file = join(folder, 'squares', `${name} ${i}`);
      await sharp({ create: { width: 16, height: 16, channels: 3, background } })
        .png()
        .toFile(`${file}.png`);
      await writeFile(`${file}.txt`, `${name} square\n`);
    }
  }
});

const config = (changes: Partial<ConfigInput['model']> = {}): ConfigInput => ({
  name: 'squares',
  data: { source: 'folder', path: join(folder, 'squares'), size: 8 },
  model: {
    width: 16,
    depth: 1,
    heads: 2,
    patchSize: 4,
    text: { width: 16, depth: 1, heads: 2, length: 6, vocabulary: 600 },
    ...changes,
  },
  optimizer: { learningRate: 1e-2 },
  train: { steps: 8, batchSize: 5, sampleEvery: 0, checkpointEvery: 4, logEvery: 4 },
  sample: { steps: 2, perClass: 1 },
});

describe('a model that is told captions', () => {
  it('is what captions beside the images ask for; its run keeps what was learnt from them', async () => {
    const { run } = await train(config(), { runs: join(folder, 'a'), backend });
    const recorded = JSON.parse(await readFile(join(run, 'config.json'), 'utf8')) as {
      config: { model: object; sample: { prompts: string[] } };
    };
    expect(recorded.config.model).toMatchObject({ kind: 'text-dit', imageSize: [8, 8], channels: 3 });
    expect(recorded.config.sample.prompts).toContain('pale blue square');

    const { values, annotations, data } = await sample(run, {
      backend,
      prompts: ['red square', 'green square'],
      count: 2,
    });
    expect(data.tokenizer!.pairs.length).toBeGreaterThan(5);
    expect(annotations.map(({ caption }) => caption)).toEqual([
      'red square',
      'red square',
      'green square',
      'green square',
    ]);
    const [red, green] = [values.subarray(0, 192), values.subarray(384, 576)];
    expect(red).not.toEqual(green);
    // The same noise under another caption.
    const swapped = await sample(run, { backend, prompts: ['green square'], count: 1 });
    expect(swapped.values).not.toEqual(red);
  });

  it('is told the beginning of a long prompt, which is said', async () => {
    const { run } = await train(config(), { runs: join(folder, 'long'), backend });
    const notices: string[] = [];
    const onNotice = (text: string): void => void notices.push(text);
    await sample(run, { backend, prompts: ['red square'], count: 1, onNotice });
    expect(notices).toEqual([]);
    await sample(run, { backend, prompts: ['red square', 'xyz'.repeat(30)], count: 1, onNotice });
    expect(notices).toEqual([
      expect.stringMatching(
        /^1 prompt is longer than model\.text\.length = 6 tokens, .* not told the rest: "(xyz){20}\.\.\." \(9\d tokens\)/,
      ),
    ]);
  });

  it('writes samples as a folder that can be trained on again', async () => {
    const { run } = await train(config(), { runs: join(folder, 'b'), backend });
    const made = join(folder, 'made');
    const samples = await sample(run, { backend, prompts: ['red square', 'green "square"'], count: 2 });
    expect(await writeSamples(made, samples)).toEqual({ count: 4, view: `${made}.png` });
    expect((await readdir(made)).toSorted()).toEqual(['0.png', '1.png', '2.png', '3.png', 'metadata.jsonl']);
    const again = await openFolder({
      source: 'folder',
      path: made,
      condition: 'auto',
      channels: 3,
      background: '#ffffff',
      transforms: [{ kind: 'resize', size: [8, 8] }],
      maxPixels: 1000,
    });
    expect(again).toMatchObject({ count: 4, captions: true });
    const lines = (await readFile(join(made, 'metadata.jsonl'), 'utf8')).trimEnd().split('\n');
    expect(JSON.parse(lines[2]!)).toEqual({ file_name: '2.png', text: 'green "square"' });
    await expect(writeSamples(made, samples)).rejects.toThrow('made: holds files already. Remove it, or');
    const { width, height } = await sharp(`${made}.png`).metadata();
    // Beside the rows stand their captions, and around all is a margin.
    expect(height).toBe(2 * 64 + 2 + 16);
    expect(width).toBeGreaterThan(2 * 64 + 2 + 16);
  });

  it('goes on to the bit after a stop', async () => {
    const whole = await train(config(), { runs: join(folder, 'c'), backend });
    const controller = new AbortController();
    const stopped = await train(config(), {
      runs: join(folder, 'd'),
      backend,
      signal: controller.signal,
      onStep: ({ step }) => {
        if (step === 4) controller.abort();
      },
    });
    expect(stopped.finished).toBe(false);
    await resume(stopped.run, { backend });
    expect(await checkpointBytes(stopped.run, 8)).toEqual(await checkpointBytes(whole.run, 8));
  });

  it('goes on with the tokenizer that it began with, also where captions have changed since', async () => {
    const squares = join(folder, 'changing');
    await cp(join(folder, 'squares'), squares, { recursive: true });
    const controller = new AbortController();
    const { run } = await train(
      { ...config(), data: { source: 'folder', path: squares, size: 8 } },
      { runs: join(folder, 'g'), backend, signal: controller.signal, onStep: () => controller.abort() },
    );
    const began = (await sample(run, { backend, count: 1 })).data.tokenizer;
    await writeFile(join(squares, 'red 0.txt'), 'scarlet scarlet scarlet scarlet\n');
    const { step } = await resume(run, { backend });
    expect(step).toBe(8);
    expect((await sample(run, { backend, count: 1 })).data.tokenizer).toEqual(began);
  });

  it('keeps a tokenizer that came from a file', async () => {
    const file = join(folder, 'tokenizer.json');
    await writeWordTokenizer(file, ['red', 'green', 'pale', 'blue', 'square']);
    const text = { tokenizer: file, width: 16, depth: 1, heads: 2, length: 6 };
    const { run } = await train(config({ text }), { runs: join(folder, 'e'), backend });
    const made = async (): Promise<Float32Array> =>
      (await sample(run, { backend, prompts: ['red square'], count: 1 })).values;
    const before = await made();
    await writeFile(file, 'gone');
    expect(await made()).toEqual(before);
    const kept = join(run, 'tokenizer.json');
    await writeFile(kept, (await readFile(kept, 'utf8')).replace('"red":', '"rod":'));
    await expect(made()).rejects.toThrow(
      /e.*tokenizer\.json: has SHA-256 \w+, .*tokenizer\.sha256 says \w+\. Copy /,
    );
    // Somebody who changes the digest beside it, too, meets the checkpoint's.
    await writeFile(join(run, 'tokenizer.sha256'), (await digestFile(kept)).sha256);
    await expect(made()).rejects.toThrow(/its model knows captions by another tokenizer .*Put back/);
    await expect(resume(run, { backend })).rejects.toThrow(/captions become other tokens .*--accept-data/);
  });

  it.each([
    [{ labels: [0] }, /labels must be left out: this model has no classes/],
    [{ prompts: [], count: 0 }, /count must be a positive integer/],
  ])('refuses %o', async (options, message) => {
    const { run } = await train(config(), { runs: join(folder, 'f'), backend });
    await expect(sample(run, { backend, ...options })).rejects.toThrow(message);
  });
});
