import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { temporaryFolder } from '../support/cli.ts';
import { randomValues } from '../support/random.ts';
import { checkpointBytes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const COUNT = 23;
const STEPS = 12;
const STOP = 5;

let good: string;
let damaged: string;

/** Pictures of noise of several sizes in two class folders; in `damaged` one file is text. */
beforeAll(async () => {
  good = await temporaryFolder();
  damaged = join(await temporaryFolder(), 'pictures');
  for (const label of ['a', 'b']) await mkdir(join(good, label));
  for (let i = 0; i < COUNT; i++) {
    const [width, height] = [12 + (i % 5), 12 + (i % 3)];
    const pixels = Uint8Array.from(randomValues(width * height * 3, i), (value) => 128 + 60 * value);
    const picture = sharp(pixels, { raw: { width, height, channels: 3 } }).png();
    await picture.toFile(join(good, i % 2 === 0 ? 'a' : 'b', `${String(i).padStart(2, '0')}.png`));
  }
  await cp(good, damaged, { recursive: true });
  await writeFile(join(damaged, 'a', '04.png'), 'no picture');
});

function config(path: string, loader: NonNullable<ConfigInput['loader']>): ConfigInput {
  return {
    name: 'pictures',
    data: {
      source: 'folder',
      path,
      transforms: [
        { kind: 'random-crop', size: 10 },
        { kind: 'random-resized-crop', size: 8, scale: [0.5, 1] },
        { kind: 'horizontal-flip' },
      ],
    },
    loader,
    model: { width: 16, depth: 1, heads: 2, patchSize: 4 },
    train: { steps: STEPS, batchSize: 5, logEvery: 1, sampleEvery: 0, checkpointEvery: 0 },
    optimizer: { learningRate: 1e-3 },
    sample: { steps: 1, perClass: 1 },
  };
}

/** Trains in one go with one worker; and to `STOP`, then on with others that read further ahead. */
async function both(
  path: string,
  onBadSample: 'fail' | 'skip',
): Promise<{ bytes: unknown[]; notices: string[][] }> {
  const runs = await temporaryFolder();
  const notices: string[][] = [[], [], []];
  const noting = (part: number) => ({ onNotice: (text: string) => void notices[part]!.push(text) });
  const first = config(path, { workers: 1, prefetch: 1, onBadSample });
  const whole = await train(first, { runs, backend, ...noting(0) });
  const controller = new AbortController();
  const stopped = await train(first, {
    runs,
    backend,
    signal: controller.signal,
    onStep: ({ step }) => {
      if (step === STOP) controller.abort();
    },
    ...noting(1),
  });
  expect(stopped.step).toBe(STOP);
  const record = join(stopped.run, 'config.json');
  const text = await readFile(record, 'utf8');
  const changed = text.replace('"workers": 1', '"workers": 4').replace('"prefetch": 1', '"prefetch": 3');
  expect(changed.length).toBe(text.length);
  expect(changed).not.toBe(text);
  await writeFile(record, changed);
  expect(await resume(stopped.run, { backend, ...noting(2) })).toMatchObject({ step: STEPS, finished: true });
  const bytes = [await checkpointBytes(whole.run, STEPS), await checkpointBytes(stopped.run, STEPS)];
  return { bytes, notices };
}

const changes = expect.stringMatching(/loader\.workers 1 -> 4, loader\.prefetch 1 -> 3\.$/);

describe('a run on files that goes on in the middle of an epoch, with more workers that read further ahead', () => {
  it('ends with the same weights, averages and moments, byte for byte', async () => {
    expect((STOP * 5) % COUNT).not.toBe(0);
    const { bytes, notices } = await both(good, 'fail');
    expect(bytes[1]).toEqual(bytes[0]);
    expect(notices).toEqual([[], [], [changes]]);
  });

  it('also where files are skipped, which it names again', async () => {
    const { bytes, notices } = await both(damaged, 'skip');
    expect(bytes[1]).toEqual(bytes[0]);
    const skipped = [
      expect.stringMatching(/^skipped \(1 so far\): .*04\.png: /),
      expect.stringMatching(/^1 of 23 samples \(4 %\) was left out: .*04\.png$/),
    ];
    expect(notices).toEqual([skipped, skipped, [changes, ...skipped]]);
  });
});
