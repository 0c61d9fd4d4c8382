import { appendFile, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { makePairs, type MakePairsOptions } from '../../../src/api/reflow/make-pairs.ts';
import { sample } from '../../../src/api/sample.ts';
import { train } from '../../../src/api/train.ts';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import { checkSamples } from '../../../src/check/check.ts';
import { holdOut } from '../../../src/data/hold-out.ts';
import type { Annotation, Source } from '../../../src/data/source.ts';
import { openPairs } from '../../../src/sources/pairs.ts';
import { verifyPairs } from '../../../src/sources/pairs/verify.ts';
import { rectifiedFlow } from '../../../src/flow/rectified-flow.ts';
import { readSafetensors } from '../../../src/formats/safetensors-file.ts';
import { philoxNormal } from '../../../src/tensor/philox.ts';
import { sizeOf } from '../../../src/tensor/shape.ts';
import { keptRuns } from '../../golden/kept-runs.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { stripes, tinyStripes } from '../../support/tiny-run.ts';

const backend = referenceBackend();
const source = stripes();
const options: MakePairsOptions = { pairs: 11, perShard: 4, steps: 2, backend, source };

let folder: string;
let run: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  ({ run } = await train(
    {
      ...tinyStripes,
      optimizer: { learningRate: 1e-2 },
      train: { ...tinyStripes.train, keepCheckpoints: 9 },
    },
    { runs: folder, source, backend },
  ));
});

let made = 0;
const target = (): string => join(folder, 'pairs', String(made++));

interface ReadPair extends Annotation {
  readonly values: number[];
}

async function readAll(path: string): Promise<ReadPair[]> {
  const opened = await openPairs({ source: 'pairs', path });
  const pairs: ReadPair[] = [];
  for (let index = 0; index < opened.count; index++) {
    const out = new Float32Array(sizeOf(opened.shape));
    const annotation = await opened.read(index, out, 0, { seed: 0, epoch: 0 });
    pairs.push({ ...annotation, values: [...out] });
  }
  await opened.close?.();
  return pairs;
}

async function filesOf(path: string): Promise<Record<string, Buffer>> {
  const names = (await readdir(path)).toSorted();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(path, name))] as const)),
  );
}

describe('pairs are refused', () => {
  it.each<[string, MakePairsOptions, string]>([
    ['of none', { pairs: 0 }, 'reflow: pairs must be a whole number above 0, got 0'],
    ['in shards of none', { perShard: 0.5 }, 'reflow: perShard must be a whole number above 0, got 0.5'],
    [
      'with a sampler that adds noise',
      { sampler: 'euler-maruyama' },
      'reflow: sampler must be one that adds no noise: a sample follows from the noise that is stored, got euler-maruyama',
    ],
    ['with a sampler of diffusion', { sampler: 'ddim' }, 'sampler: must be one of euler, heun'],
    ['of a checkpoint that is not there', { checkpoint: 5 }, 'there is no checkpoint of step 5'],
  ])('%s', async (_, asked, message) => {
    const path = target();
    await expect(makePairs(run, path, { ...options, ...asked })).rejects.toThrow(message);
    await expect(readdir(path)).rejects.toThrow('ENOENT');
  });

  it('of a model that predicts noise', async () => {
    const kept = keptRuns['ddpm']!;
    const data = await kept.source(folder);
    const ddpm = await train(kept.config, { runs: folder, source: data, backend });
    await expect(makePairs(ddpm.run, target(), { ...options, source: data })).rejects.toThrow(
      /ddpm: was trained with flow\.objective ddpm: it has no paths of rectified flow that reflow could straighten/,
    );
  });

  it('of a model of an objective of its own', async () => {
    const objective = { ...rectifiedFlow(), name: 'own' };
    const config = { ...tinyStripes, name: 'own', flow: { objective: { kind: 'custom' } } } as const;
    const own = await train(config, { runs: folder, source, backend, objective });
    await expect(makePairs(own.run, target(), options)).rejects.toThrow(
      /own: was trained with flow\.objective custom: it has no paths of rectified flow that reflow could straighten/,
    );
  });

  it('where what they are told cannot be had, unless each class is told as often', async () => {
    const { source: _, ...without } = options;
    await expect(makePairs(run, target(), without)).rejects.toThrow(
      /its model is told what its data are, which cannot be had: .*custom data is handed over.*--told uniform does without/,
    );
    const path = target();
    await makePairs(run, path, { ...without, told: 'uniform' });
    expect((await readAll(path)).map(({ label }) => label)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]);
  });

  it('into a folder of other pairs', async () => {
    const path = target();
    await makePairs(run, path, options);
    const before = await filesOf(path);
    await expect(makePairs(run, path, { ...options, pairs: 12, guidance: 1 })).rejects.toThrow(
      /pairs\.json: holds pairs that were begun otherwise: pairs 11 -> 12, guidance 2 -> 1\. Give the options of then, or another --name/,
    );
    const other = await train({ ...tinyStripes, name: 'other', seed: 5 }, { runs: folder, source, backend });
    await expect(makePairs(other.run, path, options)).rejects.toThrow(
      /holds pairs made by another model: .*stripes, step 12 \(ema\), whose weights are not those of .*other, step 12 \(ema\)/,
    );
    await expect(makePairs(run, path, { ...options, weights: 'model' })).rejects.toThrow('another model');
    expect(await filesOf(path)).toEqual(before);
  });

  it('in a place that cannot be written to', async () => {
    const file = target();
    await mkdir(join(folder, 'pairs'), { recursive: true });
    await writeFile(file, '');
    await expect(makePairs(run, join(file, 'a'), options)).rejects.toThrow(
      'a/pairs.json: part of the path is a file, not a folder. Check the path',
    );
  });
});

describe('pairs that cannot be read', () => {
  const open = (path: string): Promise<Source> => openPairs({ source: 'pairs', path });

  it('are not there, or not all of them', async () => {
    await expect(open(folder)).rejects.toThrow(
      'holds no pairs: there is no pairs.json. Name a folder made by',
    );
    const path = target();
    const stopped = new AbortController();
    const onProgress = (done: number): void => void (done === 4 && stopped.abort());
    await expect(makePairs(run, path, { ...options, onProgress, signal: stopped.signal })).rejects.toThrow(
      'aborted',
    );
    await expect(open(path)).rejects.toThrow('holds 4 of 11 pairs. Give the command that made them again');
  });

  it('have a file that is missing, cut, or changed', async () => {
    const path = target();
    await makePairs(run, path, options);
    const file = join(path, 'pairs-000001.safetensors');
    const bytes = await readFile(file);
    await writeFile(file, bytes.subarray(0, bytes.length - 1));
    await expect(open(path)).rejects.toThrow(
      /pairs-000001\.safetensors: has \d+ bytes, \d+ were written\. Give the/,
    );
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(file, bytes);
    await expect(verifyPairs(path)).rejects.toThrow(
      /pairs-000001\.safetensors: has changed: SHA-256 must be/,
    );
    await rm(file);
    await expect(open(path)).rejects.toThrow(
      'pairs-000001.safetensors: no such file or folder. Give the command',
    );
    await expect(verifyPairs(path)).rejects.toThrow('no such file or folder');
    await expect(verifyPairs(folder)).rejects.toThrow('is a folder without pairs.json');
  });

  it('have a manifest that is damaged', async () => {
    const path = target();
    await makePairs(run, path, options);
    await appendFile(join(path, 'pairs.json'), '}');
    await expect(open(path)).rejects.toThrow(/pairs\.json: holds no valid JSON/);
    await writeFile(join(path, 'pairs.json'), '{"format": "rectiflow pairs"}');
    await expect(open(path)).rejects.toThrow(/pairs\.json: is no manifest of pairs: version: /);
  });
});

describe('pairs', () => {
  it('are noise, and what the sampler makes of it for what the data tell', async () => {
    const path = target();
    const { manifest, made: count } = await makePairs(run, path, { ...options, seed: 3, guidance: 1.5 });
    expect(count).toBe(11);
    expect(manifest.files.map((file) => file.count)).toEqual([4, 4, 3]);
    const pairs = await readAll(path);
    const noise = philoxNormal({ seed: 3, stream: 3, step: 0, firstSample: 0, samples: 11, elements: 96 });
    expect(pairs.flatMap((pair) => [...pair.noise!])).toEqual([...Float32Array.from(noise)]);
    const labels = pairs.map(({ label }) => label!);
    const { values } = await sample(run, { backend, labels, count: 1, steps: 2, seed: 3, guidance: 1.5 });
    expect(pairs.flatMap((pair) => pair.values)).toEqual([...values]);
    const opened = await openPairs({ source: 'pairs', path });
    expect(opened).toMatchObject({
      count: 11,
      shape: [1, 8, 12],
      classes: 3,
      paired: { model: `${run}, step 12` },
    });
    expect(opened.describe!(7)).toBe(`${path}: pair 7`);
    const { findings, pairedBy, values: range } = await checkSamples(opened);
    expect(range!.most).toBeGreaterThan(1.1);
    expect([pairedBy, findings.filter(({ about }) => about === 'values')]).toEqual([`${run}, step 12`, []]);
    await opened.close!();
  });

  it('are told what each sample of the data is once in a pass, in an order of the seed', async () => {
    const [path, other] = [target(), target()];
    await makePairs(run, path, { ...options, pairs: 34, steps: 1 });
    const labels = (await readAll(path)).map(({ label }) => label!);
    const counts = (some: number[]): number[] =>
      [0, 1, 2].map((label) => some.filter((each) => each === label).length);
    expect([counts(labels.slice(0, 17)), counts(labels.slice(17))]).toEqual([
      [6, 6, 5],
      [6, 6, 5],
    ]);
    expect(labels.slice(0, 17)).not.toEqual(labels.slice(17));
    await makePairs(run, other, { ...options, pairs: 34, steps: 1, seed: 1 });
    expect((await readAll(other)).map(({ label }) => label!)).not.toEqual(labels);
  });

  it('are told nothing of samples that the run holds out', async () => {
    const config = { ...tinyStripes, name: 'held-out', heldOut: { count: 8 } };
    const without = await train(config, { runs: folder, source, backend });
    const path = target();
    await makePairs(without.run, path, { ...options, pairs: 18, steps: 1 });
    const { trained } = holdOut(source, 8, 0);
    const labels: number[] = [];
    for (let i = 0; i < trained.count; i++)
      labels.push((await trained.read(i, new Float32Array(96), 0, { seed: 0, epoch: 0 })).label!);
    expect((await readAll(path)).map(({ label }) => label!).toSorted()).toEqual(
      [...labels, ...labels].toSorted(),
    );
  });

  it('are the same to the bit where making them was stopped, and where a file was damaged since', async () => {
    const [path, whole] = [target(), target()];
    await makePairs(run, whole, options);
    for (const after of [4, 8]) {
      const stopped = new AbortController();
      const onProgress = (done: number): void => void (done === after && stopped.abort());
      await expect(makePairs(run, path, { ...options, onProgress, signal: stopped.signal })).rejects.toThrow(
        'aborted',
      );
    }
    // What a killed process leaves.
    await writeFile(join(path, 'pairs-000002.safetensors.tmp-1'), 'half');
    const told: [number, number][] = [];
    const onProgress = (done: number, total: number): void => void told.push([done, total]);
    expect(await makePairs(run, path, { ...options, onProgress })).toMatchObject({ made: 3 });
    expect(told.at(-1)).toEqual([11, 11]);
    const files = await filesOf(whole);
    expect(await filesOf(path)).toEqual(files);
    expect(await makePairs(run, path, options)).toMatchObject({ made: 0 });

    await writeFile(join(path, 'pairs-000001.safetensors'), 'damaged');
    const notices: string[] = [];
    const again = await makePairs(run, path, { ...options, onNotice: (text) => notices.push(text) });
    expect(again).toMatchObject({ made: 4 });
    expect(notices.join()).toMatch(
      /pairs-000001\.safetensors: has 7 bytes, \d+ were written\. Its pairs are made anew/,
    );
    expect(await filesOf(path)).toEqual(files);
    expect((await verifyPairs(path)).count).toBe(11);
  });

  it('go on with the checkpoint that began them, though the run was trained on since', async () => {
    const config = { ...tinyStripes, name: 'longer', train: { ...tinyStripes.train, checkpointEvery: 6 } };
    const { run: longer } = await train(config, { runs: folder, source, backend });
    const path = target();
    await makePairs(longer, path, { ...options, checkpoint: 6 });
    expect(await makePairs(longer, path, options)).toMatchObject({
      made: 0,
      manifest: { teacher: { step: 6 } },
    });
    await rm(join(longer, 'checkpoints', 'step-0000006'), { recursive: true });
    await expect(makePairs(longer, path, options)).rejects.toThrow(
      /pairs made by another model: .*longer, step 6 \(ema\), whose weights are not those of .*longer, step 12/,
    );
  });

  it('of captions are told those of the data', async () => {
    const kept = keptRuns['captions']!;
    const data = await kept.source(folder);
    const { run: told } = await train(kept.config, { runs: folder, source: data, backend });
    const path = target();
    await makePairs(told, path, { ...options, source: data, pairs: 17, perShard: 5 });
    const captions = (await readAll(path)).map(({ caption }) => caption);
    const counts = ['red', 'green', 'pale blue'].map((name) =>
      captions.filter((each) => each === `${name} square`),
    );
    expect(counts.map(({ length }) => length)).toEqual([6, 6, 5]);
    const { values } = await sample(told, {
      backend,
      prompts: captions.slice(0, 3) as string[],
      count: 1,
      steps: 2,
    });
    expect((await readAll(path)).slice(0, 3).flatMap((pair) => pair.values)).toEqual([...values]);
    const opened = await openPairs({ source: 'pairs', path });
    expect(await opened.caption!(16)).toBe(captions[16]);
    await opened.close!();
    await expect(makePairs(told, target(), { ...options, source: data, told: 'uniform' })).rejects.toThrow(
      'is told captions, which cannot be drawn evenly',
    );
    const { tensors } = await readSafetensors(join(path, 'pairs-000003.safetensors'));
    expect([...tensors.keys()].toSorted()).toEqual(['captions', 'noise', 'samples']);
  });

  it('of cells keep what values mean', async () => {
    const kept = keptRuns['cells']!;
    const data = await kept.source(folder);
    const { run: cells } = await train(kept.config, { runs: folder, source: data, backend });
    const path = target();
    await makePairs(cells, path, { ...options, source: data });
    const opened = await openPairs({ source: 'pairs', path });
    expect(opened).toMatchObject({ shape: [5], classNames: ['T', 'B'], record: data.record });
    await opened.close!();
  });
});
