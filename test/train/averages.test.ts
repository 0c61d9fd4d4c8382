import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { averageRun } from '../../src/api/average.ts';
import { sample } from '../../src/api/sample.ts';
import { resume, train } from '../../src/api/train.ts';
import { readWeights } from '../../src/api/weights.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { type SavedCheckpoint, latestCheckpoint, verifyCheckpoint } from '../../src/runs/checkpoint.ts';
import { checkpointFolder } from '../../src/runs/run-folder.ts';
import { readSafetensors } from '../../src/formats/safetensors-file.ts';
import type { StoredTensors } from '../../src/tensor/stored-tensor.ts';
import { toFloat32 } from '../../src/tensor/to-float32.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { reconstructAverage } from '../../src/runs/stored-averages.ts';
import { relativeError } from '../support/conformance.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointBytes, stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const source = stripes();
const steps = 60;
// At decay 0.75 the ramp ends within the run. Lengths 0.08 and 0.15 are kept beside those that are stored only to be compared with.
const ema = { decays: [0.75], power: [0.05, 0.1, 0.15, 0.08], snapshotEvery: 3 };
const config = {
  ...tinyStripes,
  train: { ...tinyStripes.train, steps, checkpointEvery: 30 },
  ema,
  optimizer: { learningRate: 1e-2 },
} satisfies ConfigInput;
let run: string;
let saved: SavedCheckpoint;
beforeAll(async () => {
  run = (await train(config, { runs: await temporaryFolder(), source, backend })).run;
  saved = await latestCheckpoint(checkpointFolder(run));
});

const flat = (weights: StoredTensors): number[] =>
  [...weights.keys()].toSorted().flatMap((name) => [...toFloat32(weights.get(name)!)]);
const distance = (a: StoredTensors, b: StoredTensors): number => relativeError(flat(a), flat(b));

/** The run without the averages of some lengths, and with fewer stored. */
async function reduced(
  lengths: readonly number[],
  isKept: (step: number) => boolean,
): Promise<[string, SavedCheckpoint]> {
  const copy = join(await temporaryFolder(), 'copy');
  await train({ ...config, ema: { ...ema, power: lengths } }, { runs: copy, source, backend });
  const folder = join(copy, 'stripes');
  for (const name of await readdir(join(folder, 'averages')))
    if (!isKept(Number(name.slice(5, 12)))) await rm(join(folder, 'averages', name));
  return [folder, await latestCheckpoint(checkpointFolder(folder))];
}

describe('averages of a length that was not kept', () => {
  it('are near the one that was, the nearer the more are stored', async () => {
    const [many, end] = await reduced([0.05, 0.1], () => true);
    const kept = await readWeights(run, saved, { weights: 'ema:power-0.15' });
    const raw = await readWeights(run, saved, { weights: 'model' });
    const dense = await reconstructAverage(many, end, 0.15);
    for (const name of await readdir(join(many, 'averages')))
      if (Number(name.slice(5, 12)) % 15 !== 0) await rm(join(many, 'averages', name));
    const sparse = await reconstructAverage(many, end, 0.15);
    expect(dense.sources).toBeGreaterThan(sparse.sources);
    expect(dense.error).toBeLessThan(sparse.error);
    expect(distance(dense.tensors, kept)).toBeLessThan(distance(sparse.tensors, kept));
    // What is missed of the profile sees only by how much weights differ from each other, a share of their norm.
    expect(distance(dense.tensors, kept)).toBeLessThan(dense.error * distance(raw, kept) * 2 + 2 ** -11);
  }, 30_000);

  it('are the kept one where its length is among the stored ones', async () => {
    const kept = await readWeights(run, saved, { weights: 'ema:power-0.08' });
    const { tensors, error } = await reconstructAverage(run, saved, 0.08);
    expect(error).toBeLessThan(1e-3);
    expect(distance(tensors, kept)).toBeLessThan(1e-4);
  });

  it('are written with the names of a checkpoint, once', async () => {
    const { path, step, error } = await averageRun(run, { length: 0.12 });
    expect(path).toBe(join(run, 'averages', 'length-0.12-step-0000060.safetensors'));
    expect({ step, isNear: error < 0.1 }).toEqual({ step: 60, isNear: true });
    const written = await readSafetensors(path);
    const own = await readSafetensors(join(saved.path, 'ema.safetensors'));
    expect([...written.tensors.keys()]).toEqual([...own.tensors.keys()]);
    expect(written.metadata).toMatchObject({ emaLength: '0.12', model: own.metadata['model'] });
    await expect(averageRun(run, { length: 0.12 })).rejects.toThrow(/is there already/);
  });

  it('name a stored file that is damaged', async () => {
    const copy = join(await temporaryFolder(), 'copy');
    await cp(run, copy, { recursive: true });
    const file = join(copy, 'averages', 'step-0000030.safetensors');
    const bytes = await readFile(file);
    bytes[bytes.length - 9]! ^= 1;
    await writeFile(file, bytes);
    await expect(averageRun(copy, { length: 0.08 })).rejects.toThrow(
      /step-0000030\.safetensors: ema\.\S+ does not match its SHA-256\. Remove it/,
    );
  });

  it('need power-function averages, and a length that there is', async () => {
    const other = await train(tinyStripes, { runs: await temporaryFolder(), source, backend });
    await expect(averageRun(other.run, { length: 0.08 })).rejects.toThrow(
      /step-0000012: holds no power-function averages\. They are kept where ema\.power is set/,
    );
    await expect(averageRun(run, { length: 0.001 })).rejects.toThrow(
      /an average of length 0\.001 cannot be made of the \d+ that were stored until then, which miss its profile by \d\d %\. The nearest that can be is 0\.0\d+\. Or store more often/,
    );
    await expect(averageRun(run, { length: 0.3 })).rejects.toThrow(
      /average: length must be a number above 0, at most 0\.2887, got 0\.3/,
    );
  });
});

describe('samples', () => {
  const values = async (choice: object): Promise<Float32Array> =>
    (await sample(run, { backend, labels: [0], count: 1, ...choice })).values;

  it('are made with the average that is asked for', async () => {
    const main = await values({});
    for (const choice of [{ weights: 'ema:0.75' }, { weights: 'ema:power-0.05' }, { emaLength: 0.12 }])
      expect(await values(choice)).not.toEqual(main);
  });

  it('name the averages that there are', async () => {
    await expect(values({ weights: 'ema:0.99' })).rejects.toThrow(
      /weights must be one of ema, model, ema:0\.75, ema:power-0\.05, .*, got ema:0\.99/,
    );
    await expect(values({ weights: 'model', emaLength: 0.1 })).rejects.toThrow(/left out beside a length/);
  });
});

describe('a run with several averages', () => {
  it('goes on to the bit, and stores what it left behind again', async () => {
    const copy = join(await temporaryFolder(), 'copy');
    await cp(run, copy, { recursive: true });
    await rm(join(copy, 'checkpoints', 'step-0000060'), { recursive: true });
    const stale = join(copy, 'averages', 'step-0000031.safetensors');
    await writeFile(stale, 'of another future');
    await resume(copy, { source, backend });
    expect(await checkpointBytes(copy, 60)).toEqual(await checkpointBytes(run, 60));
    for (const name of ['checkpoints/step-0000060/averages.safetensors', 'averages/step-0000057.safetensors'])
      expect((await readFile(join(copy, name))).equals(await readFile(join(run, name)))).toBe(true);
    expect(await readdir(join(copy, 'averages'))).not.toContain('step-0000031.safetensors');
  });

  it('leaves the main average and the weights as they are without', async () => {
    const { ema: _, ...plain } = config;
    const alone = await train(plain, { runs: await temporaryFolder(), source, backend });
    const own = await verifyCheckpoint(join(alone.run, 'checkpoints', 'step-0000060'));
    for (const weights of ['ema', 'model'])
      expect(flat(await readWeights(run, saved, { weights }))).toEqual(
        flat(await readWeights(alone.run, own, { weights })),
      );
    expect(await readdir(alone.run)).not.toContain('averages');
  });

  it('begins an average that its checkpoint has not with the weights', async () => {
    const copy = join(await temporaryFolder(), 'copy');
    await cp(run, copy, { recursive: true });
    const file = join(copy, 'config.json');
    const record = JSON.parse(await readFile(file, 'utf8'));
    record.config.ema.decays.push(0.5);
    record.config.train.steps = 61;
    await writeFile(file, JSON.stringify(record));
    const notices: string[] = [];
    await resume(copy, { source, backend, onNotice: (text) => notices.push(text) });
    expect(notices).toEqual([
      expect.stringMatching(/ema\.decays \[0\.75\] -> \[0\.75,0\.5\], train\.steps 60 -> 61/),
      expect.stringMatching(/has no average 0\.5, which begins with the weights of step 60/),
    ]);
    const end = await latestCheckpoint(checkpointFolder(copy));
    const [before, after, average] = [
      flat(await readWeights(run, saved, { weights: 'model' })),
      flat(await readWeights(copy, end, { weights: 'model' })),
      flat(await readWeights(copy, end, { weights: 'ema:0.5' })),
    ];
    expect(
      relativeError(
        average,
        before.map((value, i) => (value + after[i]!) / 2),
      ),
    ).toBeLessThan(1e-6);
  });
});

it.each<[ConfigInput['ema'], RegExp]>([
  [{ decays: [1] }, /ema\.decays\.0: wanted a number from 0, below 1, found 1/],
  [{ power: [0.3] }, /ema\.power\.0: wanted a number above 0, at most 0\.2887, found 0\.3/],
  [{ decays: [0.9999] }, /ema\.decays\.0: wanted a decay that no other average has, found 0\.9999/],
  [{ power: [0.1, 0.1] }, /ema\.power\.1: wanted a length that no other average has, found 0\.1/],
  [
    { snapshotEvery: 5 },
    /ema\.snapshotEvery: wanted 0 \(none\): there is nothing to store without ema\.power/,
  ],
])('settings %o are refused', (settings, message) => {
  expect(() => resolveConfig({ ...tinyStripes, ema: settings! })).toThrow(message);
});
