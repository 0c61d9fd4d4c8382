import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { train } from '../../src/api/train.ts';
import { epochOrder } from '../../src/data/sampler.ts';
import type { Source } from '../../src/data/source.ts';
import { dataError } from '../../src/tensor/errors.ts';
import { streams } from '../../src/tensor/random-streams.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { temporaryFolder } from '../support/cli.ts';

/** Captioned images of which the seventh cannot be used: read in whole, or its caption alone. */
const captioned: Source = {
  name: 'captioned',
  count: 60,
  shape: [1, 4, 4],
  captions: true,
  read(index, out, offset) {
    out.fill((index % 3) - 1, offset, offset + 16);
    return { caption: this.caption!(index) as string };
  },
  caption(index) {
    if (index === 7) throw dataError('7.txt', 'is no text in UTF-8', 'Save it as UTF-8');
    return `picture ${index}`;
  },
};

const config = {
  name: 'captioned',
  data: { source: 'custom' },
  loader: { onBadSample: 'skip' },
  model: {
    width: 8,
    depth: 1,
    heads: 1,
    patchSize: 4,
    text: { vocabulary: 600, length: 8, width: 8, depth: 1 },
  },
  train: { steps: 8, batchSize: 5, sampleEvery: 0, checkpointEvery: 0 },
  sample: { steps: 1, perClass: 1, prompts: ['picture 1'] },
  backend: { threads: 1 },
} as const satisfies ConfigInput;

const problem = '7.txt: is no text in UTF-8. Save it as UTF-8.';

async function noticesOf(changed: ConfigInput): Promise<string[]> {
  const notices: string[] = [];
  const runs = await temporaryFolder();
  await train(changed, { runs, source: captioned, onNotice: (text) => notices.push(text) });
  return notices;
}

test('a run says which samples it goes without, and at its end how many', async () => {
  expect(await noticesOf({ ...config, train: { ...config.train, steps: 14 } })).toEqual([
    `skipped while the tokenizer is learnt: ${problem}`,
    `skipped (1 so far): ${problem}`,
    '1 of 60 samples (2 %) was left out: sample 7 of captioned',
  ]);
});

test('of a few that are held out one may be bad: the share is of the whole set', async () => {
  const heldOut = { count: 2, every: 4 };
  const isHeldOut = (seed: number): boolean => {
    const indices = epochOrder(captioned.count, seed, 0, streams.heldOut).slice(0, heldOut.count);
    return indices.includes(7);
  };
  const seed = Array.from({ length: 1000 }, (_, i) => i).find(isHeldOut)!;
  expect(await noticesOf({ ...config, seed, heldOut })).toContain(
    `skipped among the samples held out: ${problem}`,
  );
});

test('a caption that cannot be read ends a run by default, before it has a folder', async () => {
  const runs = await temporaryFolder();
  const { loader: _, ...strict } = config;
  await expect(train(strict, { runs, source: captioned })).rejects.toThrow(problem);
  expect(await readdir(runs)).toEqual([]);
});
