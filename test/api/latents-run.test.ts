import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAutoencoder, readAutoencoder, writeAutoencoder } from '../../src/api/autoencoder.ts';
import { encodeData } from '../../src/api/encode.ts';
import { packData } from '../../src/api/data.ts';
import { openSource } from '../../src/api/open-source.ts';
import { sample } from '../../src/api/sample.ts';
import { ParsedConfig } from '../../src/config/resolve-config.ts';
import { resume, train } from '../../src/api/train.ts';
import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { toLatents } from '../../src/data/latents.ts';
import { compareObjectives } from '../../src/report/compare-objectives.ts';
import { drawFewSteps, sampleFewSteps } from '../../src/report/few-steps.ts';
import { writeSamples } from '../../src/runner/samples/write-samples.ts';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors-file.ts';
import { writePhotos } from '../support/photos.ts';
import { checkpointDigests } from '../support/tiny-run.ts';

const kl = 'test/golden/autoencoders/kl';
const tiny = 'test/golden/autoencoders/tiny';
const scaling = { scale: 0.18215, shift: 0 };

let root: string;
let latents: string;
let run: string;
let backend: Backend;
const notices: string[] = [];

const config = (path: string, steps = 4): ConfigInput => ({
  name: 'latent',
  data: { source: 'latents', path },
  model: { width: 16, depth: 1, heads: 2, patchSize: 2 },
  train: { steps, batchSize: 4, logEvery: 1, sampleEvery: 2, checkpointEvery: 2 },
  sample: { steps: 2, perClass: 2 },
});

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'latents-run-'));
  backend = referenceBackend();
  const photos = await writePhotos(join(root, 'photos'), 6);
  latents = join(root, 'latents');
  await encodeData({ data: { source: 'folder', path: photos, size: 8 } }, latents, {
    autoencoder: kl,
    backend,
  });
  const onNotice = (text: string): void => void notices.push(text);
  ({ run } = await train(config(latents), { runs: join(root, 'runs'), backend, onNotice }));
}, 60_000);
afterAll(async () => {
  await backend.dispose();
  await rm(root, { recursive: true });
});

test('the run has the autoencoder, says what the model sees, and shows pictures', async () => {
  const { fingerprint } = await readAutoencoder(kl);
  expect((await readAutoencoder(join(run, 'autoencoder'))).fingerprint).toBe(fingerprint);
  const told = notices.filter((text) => text.startsWith('The model sees latents'));
  expect(told).toEqual([
    expect.stringMatching(
      new RegExp(
        `of the autoencoder ${fingerprint.slice(0, 12)} with the mean \\S+ and the deviation \\S+, by scale 0\\.18215 and shift 0\\.`,
      ),
    ),
  ]);
  const [state] = (await readdir(join(run, 'checkpoints'))).toSorted().slice(-1);
  const saved = JSON.parse(await readFile(join(run, 'checkpoints', state!, 'state.json'), 'utf8')) as {
    state: { data: { record: unknown } };
  };
  expect(saved.state.data.record).toEqual({ kind: 'latents', ...scaling, autoencoder: fingerprint });
  for (const name of ['step-0000002.png', 'step-0000002-path.png', 'step-0000004.png']) {
    const { data, info } = await sharp(join(run, 'samples', name))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info.channels).toBe(3);
    expect(new Set(data).size).toBeGreaterThan(20);
  }
});

test('resumed, it is the same to the bit', async () => {
  const runs = join(root, 'stopped');
  const stop = new AbortController();
  const { run: stopped } = await train(config(latents), {
    runs,
    backend,
    signal: stop.signal,
    onStep: ({ step }) => step === 2 && stop.abort(),
  });
  expect(await resume(stopped, { backend })).toMatchObject({ step: 4, finished: true });
  expect(await checkpointDigests(stopped, 4)).toEqual(await checkpointDigests(run, 4));
});

describe('sample', () => {
  test('decodes what the model makes, in its own scale', async () => {
    const made = await sample(run, { count: 3, labels: ['dogs'], backend });
    expect(made.shape).toEqual([4, 4, 4]);
    expect(made.pictures!.shape).toEqual([3, 8, 8]);
    const opened = await openAutoencoder(kl, { backend });
    const { images } = await opened.decode(toLatents(made.values, scaling, made.shape), [3, 4, 4, 4]);
    await opened.dispose();
    expect(made.pictures!.values).toEqual(images);
    const folder = join(root, 'samples');
    const { count, view, latents: kept } = await writeSamples(folder, made, { latents: true });
    expect(count).toBe(3);
    const { data, info } = await sharp(join(folder, 'dogs/1.png'))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([8, 8]);
    const pixel = Math.round(Math.min(1, Math.max(-1, images[192]!)) * 127.5 + 127.5);
    expect(data[0]).toBe(pixel);
    expect(existsSync(view)).toBe(true);
    const { tensors } = await readSafetensors(kept!);
    expect(tensors.get('samples')!.data).toEqual(toLatents(made.values, scaling, made.shape));
  });

  test('leaves latents as they are where that is asked for', async () => {
    const { pictures, values, shape } = await sample(run, { count: 1, decode: false, backend });
    expect(pictures).toBeUndefined();
    expect(shape).toEqual([4, 4, 4]);
    expect(values).toEqual((await sample(run, { count: 1, backend })).values);
  });

  test('without the autoencoder says so, and takes it from elsewhere; another is refused', async () => {
    await rename(join(latents, 'autoencoder'), join(root, 'away-too'));
    expect((await sample(run, { count: 1, backend })).pictures!.shape).toEqual([3, 8, 8]);
    await rename(join(run, 'autoencoder'), join(root, 'away'));
    const said: string[] = [];
    const { pictures } = await sample(run, { count: 1, backend, onNotice: (text) => said.push(text) });
    expect(pictures).toBeUndefined();
    expect(said.join()).toMatch(/samples are latents, and nothing tells their autoencoder.*--autoencoder/);
    expect((await sample(run, { count: 1, backend, autoencoder: kl })).pictures!.shape).toEqual([3, 8, 8]);
    await expect(sample(run, { count: 1, backend, autoencoder: tiny })).rejects.toThrow(
      /tiny: is another autoencoder \(\w{12}\) than the one whose latents .*step-0000004 knows \(\w{12}\)/,
    );
    await rename(join(root, 'away'), join(run, 'autoencoder'));
    await rename(join(root, 'away-too'), join(latents, 'autoencoder'));
  });
});

test('an array of latents whose autoencoder is named is shown as pictures, too', async () => {
  const { tensors } = await readSafetensors(join(latents, '000000.safetensors'));
  const path = join(root, 'array.safetensors');
  await writeSafetensors(path, new Map([['samples', tensors.get('mean')!]]));
  const data = { source: 'array', path, latents: true, scale: 0.18215, autoencoder: kl } as const;
  const array = { ...config(latents), name: 'array', data };
  const { run: made } = await train(array, { runs: join(root, 'arrays'), backend });
  const { fingerprint } = await readAutoencoder(kl);
  expect((await readAutoencoder(join(made, 'autoencoder'))).fingerprint).toBe(fingerprint);
  const { pictures, data: known } = await sample(made, { count: 1, backend });
  expect(pictures!.shape).toEqual([3, 8, 8]);
  expect(known.record).toEqual({ kind: 'latents', ...scaling, autoencoder: fingerprint });
  const images = { ...data, latents: false };
  await expect(openSource(ParsedConfig.of({ data: images }).data)).rejects.toThrow(
    /data\.autoencoder: an array of images has none\. Set data\.latents/,
  );
  const packed = join(root, 'packed');
  await packData({ data: { source: 'latents', path: latents } }, packed, { form: 'array' });
  const pack = await openSource(ParsedConfig.of({ data: { source: 'array', path: packed } }).data);
  expect(pack.record).toEqual({ kind: 'latents', ...scaling, autoencoder: fingerprint });
  await pack.close!();
}, 60_000);

test('comparisons show pictures, and measure latents', async () => {
  const { train: of, ...rest } = config(latents);
  const both = { ...rest, name: 'both', train: { ...of, steps: 1, sampleEvery: 0 } };
  const options = { runs: join(root, 'compared'), backend, evaluations: [1], count: 3 };
  const { files, rows, pictures } = await compareObjectives(both, options);
  expect(pictures).toEqual([3, 8, 8]);
  expect(rows.map(({ shown }) => shown.length)).toEqual([10 * 192, 10 * 192]);
  expect((await sharp(files.samples!).metadata()).format).toBe('png');
  const few = await sampleFewSteps([run], { backend, evaluations: [1] });
  expect(few[0]!.pictures!.shape).toEqual([3, 8, 8]);
  expect(await drawFewSteps(few)).toBeDefined();
}, 60_000);

test('latents of another autoencoder, or in another scale, are refused when the run goes on', async () => {
  const { scaling: own, ...read } = (await readAutoencoder(kl)).config;
  const weights = new Map((await readAutoencoder(kl)).weights);
  const [name, tensor] = [...weights].find(([each]) => each.endsWith('encoder.conv_in.weight'))!;
  weights.set(name, {
    ...tensor,
    data: Float32Array.from(tensor.data as Float32Array, (value) => 1.5 * value),
  });
  const other = join(root, 'other-autoencoder');
  await writeAutoencoder(other, { config: { ...read, scaling: own! } as never, weights });
  const elsewhere = join(root, 'other-latents');
  await encodeData({ data: { source: 'folder', path: join(root, 'photos'), size: 8 } }, elsewhere, {
    autoencoder: other,
    backend,
  });
  await rename(latents, join(root, 'kept'));
  await rename(elsewhere, latents);
  await expect(resume(run, { backend })).rejects.toThrow(
    /the data are not those of .*: they are latents of another autoencoder \(\w{12}\) than the checkpoint's \(\w{12}\).*--accept-data/,
  );
  const copy = join(root, 'accepting');
  await cp(run, copy, { recursive: true });
  const settings = join(copy, 'config.json');
  await writeFile(settings, (await readFile(settings, 'utf8')).replace('"steps": 4', '"steps": 5'));
  await resume(copy, { backend, acceptData: true });
  expect((await readAutoencoder(join(copy, 'autoencoder'))).fingerprint).toBe(
    (await readAutoencoder(other)).fingerprint,
  );
  await rename(latents, elsewhere);
  await rename(join(root, 'kept'), latents);
  const file = join(run, 'config.json');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('"scaling": "auto"', '"scaling": { "scale": 0.2, "shift": 0 }'));
  await expect(resume(run, { backend })).rejects.toThrow(
    /values have another meaning: scale 0\.18215 -> 0\.2\. /,
  );
  await writeFile(file, text);
});
