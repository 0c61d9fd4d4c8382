import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeData } from '../../src/api/encode.ts';
import { type SampleRunOptions, sample } from '../../src/api/sample.ts';
import { type ShareOptions, type SharedRun, shareRun } from '../../src/api/share/run.ts';
import { train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { MANIFEST, type ShareManifest } from '../../src/share/manifest.ts';
import { SharedModel } from '../../src/share/open.ts';
import { readShare } from '../../src/share/read.ts';
import { temporaryFolder } from '../support/cli.ts';
import { filesOf, manifestOf } from '../support/shared-files.ts';
import { writePhotos } from '../support/photos.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
let folder: string;
let page: string;
let run: string;

const config: ConfigInput = {
  ...tinyStripes,
  // Long enough rows for int8.
  train: { ...tinyStripes.train, steps: 6, logEvery: 1, checkpointEvery: 3 },
  optimizer: { learningRate: 1e-2 },
};

beforeAll(async () => {
  folder = await temporaryFolder();
  page = join(folder, 'page');
  await mkdir(join(page, 'assets'), { recursive: true });
  await writeFile(join(page, 'index.html'), '<!doctype html>');
  await writeFile(join(page, 'assets', 'core.js'), 'export {};');
  run = (await train(config, { runs: join(folder, 'runs'), source: stripes(), backend })).run;
});

let shares = 0;
const share = (changes: Partial<ShareOptions> = {}, of = run): Promise<SharedRun> =>
  shareRun(of, { to: join(folder, `share-${shares++}`), page, backend, ...changes });

/** Samples as a page makes them, and as `sample` makes them of the run. */
async function bothSamples(
  { folder: shared }: SharedRun,
  of: string,
  asked: Pick<SampleRunOptions, 'labels' | 'prompts'>,
): Promise<{ readonly page: Float32Array; readonly run: Float32Array }> {
  const own = await sample(of, { backend, count: 1, seed: 3, ...asked });
  const opened = await SharedModel.open(await readShare(filesOf(shared)), backend);
  try {
    const isTold = own.annotations.length > 0;
    const values = await opened.sampler.sample({
      ...opened.defaults,
      count: own.annotations.length || 1,
      seed: 3,
      ...(isTold && { conditions: opened.conditions(own.annotations) }),
    });
    const pictures = own.pictures && (await opened.pictures(values))?.values;
    return { page: pictures ?? values, run: own.pictures?.values ?? own.values };
  } finally {
    await opened.dispose();
  }
}

const furthest = ({ page: one, run: other }: Awaited<ReturnType<typeof bothSamples>>): number =>
  one.reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0);

describe('a shared run', () => {
  it('makes the samples of the run: the same bits of float32, and close ones of fewer bytes', async () => {
    const exact = await bothSamples(await share({ numbers: 'float32' }), run, { labels: [2, 0] });
    expect(exact.page).toEqual(exact.run);
    const half = furthest(await bothSamples(await share({ numbers: 'float16' }), run, { labels: [2, 0] }));
    const eighth = furthest(await bothSamples(await share({ numbers: 'int8' }), run, { labels: [2, 0] }));
    expect(half).toBeGreaterThan(0);
    expect(half).toBeLessThan(0.01);
    expect(eighth).toBeGreaterThan(half);
    expect(eighth).toBeLessThan(0.2);
  });

  it('is stored in as few bytes as the tolerance allows, by what was measured', async () => {
    const formats = await Promise.all(
      [1, 1e-9].map(async (tolerance) => (await share({ tolerance })).card.difference),
    );
    expect(formats.map(({ format }) => format)).toEqual(['int8', 'float32']);
    const [{ rms, largest, samples }, exact] = formats as [(typeof formats)[0], (typeof formats)[0]];
    expect(samples).toBe(16);
    expect(rms).toBeGreaterThan(0);
    expect(largest).toBeGreaterThan(rms);
    expect([exact.rms, exact.largest]).toEqual([0, 0]);
    const between = (await share({ tolerance: rms / 2 })).card.difference;
    expect(between.format).toBe('float16');
    expect(between.rms).toBeLessThan(rms / 2);
    const [small, large] = [await share({ numbers: 'int8' }), await share({ numbers: 'float32' })];
    expect(small.bytes).toBeLessThan(0.5 * large.bytes);
  });

  it('says what it is, and of the machine that trained it the processor alone', async () => {
    const license = join(folder, 'terms');
    await writeFile(license, 'Do what you like.\n');
    const shared = await share({ title: 'Stripes <b>', license });
    expect(shared.card).toMatchObject({
      title: 'Stripes <b>',
      step: 6,
      steps: 6,
      average: 'ema',
      samples: 17,
      license: 'LICENSE.txt',
    });
    expect(shared.card.loss).toBeGreaterThan(0);
    const written = ['LICENSE.txt', 'assets/core.js', 'index.html', MANIFEST, 'samples.png', 'weights-1.bin'];
    expect(shared.files).toEqual(written);
    expect(await readFile(join(shared.folder, 'LICENSE.txt'), 'utf8')).toBe('Do what you like.\n');
    const text = JSON.stringify(await manifestOf(shared.folder));
    for (const own of [folder, process.cwd(), `"${hostname()}"`, 'backend', 'sinks'])
      expect(text).not.toContain(own);
  });

  it('tells how much of its weights has come', async () => {
    const { folder: shared, bytes } = await share();
    const seen: [number, number][] = [];
    await readShare(filesOf(shared), { onProgress: (done, total) => seen.push([done, total]) });
    expect(seen.at(-1)).toEqual([bytes, bytes]);
  });

  it('may be of an earlier checkpoint, or of weights that are no average', async () => {
    const early = await share({ checkpoint: 3, numbers: 'float32' });
    expect(early.card.step).toBe(3);
    const raw = await share({ weights: 'model', numbers: 'float32' });
    expect(raw.card.average).toBe('model');
    const [first, last] = await Promise.all([early, raw].map((each) => readShare(filesOf(each.folder))));
    expect([...first!.weights.keys()]).toEqual([...last!.weights.keys()]);
    expect(first!.weights.get('x_embedder.proj.weight')).not.toEqual(
      last!.weights.get('x_embedder.proj.weight'),
    );
  });

  it('says what visitors may do, or that nothing tells it', async () => {
    const notices: string[] = [];
    await share({ onNotice: (text) => void notices.push(text) });
    expect(notices).toContain(
      'nothing tells visitors what they may do with the model: give a file with --license (license)',
    );
    await expect(share({ license: join(folder, 'none') })).rejects.toThrow(/none: .*no such file/i);
  });
});

describe('the folder', () => {
  it('is replaced where that is asked for, and it holds nothing else', async () => {
    const { folder: to } = await share();
    await expect(share({ to })).rejects.toThrow(/holds a shared model already.*--force/);
    await share({ to, force: true, title: 'again' });
    expect((JSON.parse(await readFile(join(to, MANIFEST), 'utf8')) as ShareManifest).card.title).toBe(
      'again',
    );
    await writeFile(join(to, 'notes.txt'), 'mine');
    await expect(share({ to, force: true })).rejects.toThrow(/holds notes.txt, which/);
    expect(await readFile(join(to, 'notes.txt'), 'utf8')).toBe('mine');
  });

  it('of something else is left alone', async () => {
    const to = join(folder, 'mine');
    await mkdir(to);
    await writeFile(join(to, 'a'), '');
    await expect(share({ to, force: true })).rejects.toThrow(/is not empty, and holds no shared model/);
    expect(await readdir(to)).toEqual(['a']);
  });

  it('is not made where the page was not built', async () => {
    const to = join(folder, 'unbuilt');
    await expect(share({ to, page: join(folder, 'nowhere') })).rejects.toThrow(
      /has no built page.*npm run build/,
    );
    expect(existsSync(to)).toBe(false);
  });
});

describe('files that are not as they were written', () => {
  const damaged = async (change: (shared: string) => Promise<void>): Promise<unknown> => {
    const { folder: shared } = await share();
    await change(shared);
    return readShare(filesOf(shared)).catch((error: Error) => error.message);
  };
  const rewrite = async (
    shared: string,
    change: (manifest: Record<string, unknown>) => void,
  ): Promise<void> => {
    const manifest = JSON.parse(await readFile(join(shared, MANIFEST), 'utf8')) as Record<string, unknown>;
    change(manifest);
    await writeFile(join(shared, MANIFEST), JSON.stringify(manifest));
  };

  it('are named', async () => {
    const flip = async (shared: string): Promise<void> => {
      const file = join(shared, 'weights-1.bin');
      const bytes = await readFile(file);
      bytes[100]! ^= 1;
      await writeFile(file, bytes);
    };
    expect(await damaged(flip)).toMatch(/weights-1.bin: has SHA-256 .*the manifest says/);
    const cut = (shared: string): Promise<void> => writeFile(join(shared, 'weights-1.bin'), 'short');
    expect(await damaged(cut)).toMatch(/weights-1.bin.* has 5 bytes, the manifest says/);
    expect(await damaged((shared) => writeFile(join(shared, MANIFEST), '{'))).toMatch(
      /manifest.json.* is no JSON/,
    );
    const of = (change: (manifest: Record<string, unknown>) => void) => (shared: string) =>
      rewrite(shared, change);
    expect(await damaged(of((each) => (each['format'] = 'other')))).toMatch(/format: wanted rectiflow-share/);
    expect(await damaged(of((each) => (each['version'] = 2)))).toMatch(
      /is of version 2, this page reads version 1/,
    );
    expect(await damaged(of((each) => delete each['weights']))).toMatch(/weights: wanted an object/);
    const elsewhere = of((each) => {
      (each['weights'] as { parts: { file: string }[] }).parts[0]!.file = '../secret';
    });
    expect(await damaged(elsewhere)).toMatch(/the name of a file beside the manifest/);
    const beyond = of((each) => {
      (each['weights'] as { tensors: { start: number }[] }).tensors.at(-1)!.start = 1e9;
    });
    expect(await damaged(beyond)).toMatch(/at most \d+ bytes, those of all parts/);
  });
});

describe('other models', () => {
  it('that are told captions bring their tokenizer', async () => {
    const photos = await writePhotos(join(folder, 'captioned'), 4);
    for (const name of await readdir(photos, { recursive: true }))
      if (/\.\w+$/.test(name)) await writeFile(join(photos, name.replace(/\.\w+$/, '.txt')), 'a picture');
    const text = { width: 16, depth: 1, heads: 2, length: 6, vocabulary: 600 };
    const { run: told } = await train(
      {
        name: 'told',
        data: { source: 'folder', path: photos, size: 8 },
        model: { width: 16, depth: 1, heads: 2, patchSize: 4, text },
        train: { steps: 2, batchSize: 4, sampleEvery: 0 },
        sample: { steps: 2, perClass: 1 },
      },
      { runs: join(folder, 'runs'), backend },
    );
    const shared = await share({ numbers: 'float32' }, told);
    const both = await bothSamples(shared, told, { prompts: ['a picture', 'nothing'] });
    expect(both.page).toEqual(both.run);
    expect(JSON.stringify(await manifestOf(shared.folder))).not.toContain(folder);
  });

  it('of latents bring what makes pictures of them', async () => {
    const photos = await writePhotos(join(folder, 'photos'), 6);
    const latents = join(folder, 'latents');
    const autoencoder = 'test/golden/autoencoders/tiny';
    await encodeData({ data: { source: 'folder', path: photos, size: 16 } }, latents, {
      autoencoder,
      backend,
    });
    const { run: latent } = await train(
      {
        name: 'latent',
        data: { source: 'latents', path: latents },
        model: { width: 16, depth: 1, heads: 2, patchSize: 2 },
        train: { steps: 2, batchSize: 4, sampleEvery: 0 },
        sample: { steps: 2, perClass: 1 },
      },
      { runs: join(folder, 'runs'), backend },
    );
    const shared = await share({ numbers: 'float32' }, latent);
    expect(shared.files).toContain('autoencoder-1.bin');
    expect(furthest(await bothSamples(shared, latent, {}))).toBeLessThan(0.02);
    await rm(join(latent, 'autoencoder'), { recursive: true });
    await rm(join(latents, 'autoencoder'), { recursive: true });
    await expect(share({}, latent)).rejects.toThrow(/nothing tells their autoencoder/);
  });

  it('without labels, and those of DDPM, are shared alike', async () => {
    const { run: plain } = await train(
      {
        ...config,
        name: 'plain',
        model: { ...tinyStripes.model, classes: 0 },
        flow: { objective: { kind: 'ddpm', timesteps: 20 } },
        sample: { steps: 2, perClass: 2 },
      },
      { runs: join(folder, 'runs'), source: stripes(), backend },
    );
    const shared = await share({ numbers: 'float32' }, plain);
    const both = await bothSamples(shared, plain, {});
    expect(both.page).toEqual(both.run);
    expect((await manifestOf(shared.folder)).isGuidable).toBe(false);
    const opened = await SharedModel.open(await readShare(filesOf(shared.folder)), backend);
    expect(opened.defaults.guidance).toBe(1);
    await opened.dispose();
  });

  it('of a program are refused', async () => {
    const copy = join(folder, 'custom');
    await cp(run, copy, { recursive: true });
    const record = JSON.parse(await readFile(join(copy, 'config.json'), 'utf8')) as {
      config: { flow: { objective: object } };
    };
    record.config.flow.objective = { kind: 'custom' };
    await writeFile(join(copy, 'config.json'), JSON.stringify(record));
    await expect(share({}, copy)).rejects.toThrow(/objective/);
  });

  it('are refused with numbers that there are not', async () => {
    await expect(share({ numbers: 'int4' as 'int8' })).rejects.toThrow(
      /numbers must be one of auto, float32/,
    );
    await expect(share({ tolerance: 0 })).rejects.toThrow(/tolerance must be a number above 0/);
  });
});
