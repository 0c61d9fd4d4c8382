// What docs/latents.md says of encoding, of training on latents and of those of others, done.
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { ConfigInput } from '../../src/config/config.ts';
import { ParsedConfig } from '../../src/config/resolve-config.ts';
import { writeSafetensors } from '../../src/formats/safetensors-file.ts';
import { DiT } from '../../src/models/dit.ts';
import { edm2Folder } from '../sources/latents/sets.ts';
import { type Finished, rectiflow, startRectiflow, temporaryFolder } from '../support/cli.ts';
import { docsBlocks, docsCommands, docsSection } from '../support/docs.ts';
import { goldenAutoencoders } from '../support/golden-autoencoders.ts';
import { writePhotos } from '../support/photos.ts';
import { statistics } from '../sources/latents/sets.ts';
import { storedWeights } from '../support/stored-weights.ts';

let folder: string;
const run = (...args: string[]): Promise<Finished> => rectiflow(folder, args);

/** The page's configs of 256x256 and of a model of its size, as small as a test can have them. */
const small = (text: string): string =>
  text
    .replaceAll('256', '8')
    .replace(/steps: \d+/, 'steps: 2')
    .replace('preset: DiT-S/2', 'width: 16, depth: 1, heads: 2, patchSize: 2');
const few = ['--set', 'sample.perClass=1', '--set', 'sample.steps=1'];

async function writeConfigs(heading: string): Promise<void> {
  for (const block of docsBlocks(await docsSection('latents.md', heading), 'yaml')) {
    const name = /^# (\S+\.yaml)$/m.exec(block)?.[1] ?? 'unnamed.yaml';
    await writeFile(join(folder, name), small(block));
  }
}

const commandsOf = async (heading: string): Promise<string[][]> =>
  docsCommands(await docsSection('latents.md', heading));

beforeAll(async () => {
  folder = await temporaryFolder();
  await cp(goldenAutoencoders.sd.folder, join(folder, 'sd-vae-ft-mse'), { recursive: true });
  await cp(goldenAutoencoders.sd.folder, join(folder, 'sd-vae-ft-ema'), { recursive: true });
  await writePhotos(join(folder, 'photos'), 6);
  for (const heading of ['## Encoding a set', '## Training on latents', '## Latents of others'])
    await writeConfigs(heading);
});

describe('docs/latents.md', () => {
  it('encodes a set, checks and shows it', async () => {
    const [encode, verify, check, preview, ...more] = await commandsOf('## Encoding a set');
    expect(more).toEqual([]);
    const encoded = await run(...encode!);
    expect(encoded).toMatchObject({ code: 0, stderr: '' });
    expect(encoded.stdout).toMatch(
      /^6 images, each mirrored, too, 8x8 of 3 channels, became latents of 4x4 of 4 channels: latents, .*\na model sees them with the deviation \S+, in the scale that the autoencoder states\n/,
    );
    expect(parse(/^data:\n(?: {2}.*\n)+/m.exec(encoded.stdout)![0])).toEqual({
      data: { source: 'latents', path: 'latents' },
    });
    expect(await run(...encode!)).toMatchObject({
      code: 0,
      stderr: 'note: latents: all was encoded before.\n',
    });
    expect(await run(...verify!)).toMatchObject({
      code: 0,
      stdout: 'latents: 6 samples in 3 files, as they were written\n',
    });
    const { stdout } = await run(...check!);
    expect(stdout).toMatch(
      /^values +latents of the autoencoder [\da-f]{12}, scale 0\.18215, shift 0\n +channel 0: mean \S+, deviation \S+\n/m,
    );
    expect(stdout).toMatch(/^ +channel 3: .*\n +the model sees \S+ to \S+, mean /m);
    const drawn = await run(...preview!);
    expect(drawn).toMatchObject({
      code: 0,
      stdout: '6 samples, the first of epoch 0\nLook at latents.png\n',
    });
    expect((await sharp(join(folder, 'latents.png')).metadata()).format).toBe('png');
  }, 60_000);

  it('trains on latents, says in what scale, and samples pictures', async () => {
    const [doctor, train, sample, ...more] = await commandsOf('## Training on latents');
    expect(more).toEqual([]);
    const checked = await run(...doctor!, ...few);
    expect(checked.stdout).toMatch(
      /^warn +values +.* deviation \d\S*; latents should have about 0 and 1\. Set /m,
    );
    const even = await run(...doctor!, ...few, '--set', 'data.scaling=statistics');
    expect(even.stdout).toMatch(
      /^ok +values +the model sees latents of the autoencoder [\da-f]{12} from .*, mean \S+, deviation (?:0\.9|1\.)\d*, by scale .*, .*, .*, .* and shift /m,
    );
    const trained = await run(...train!, ...few, '--set', 'train.logEvery=1', '--set', 'train.batchSize=4');
    expect(trained.code).toBe(0);
    expect(trained.stdout + trained.stderr).toMatch(
      /The model sees latents of the autoencoder [\da-f]{12} with the mean/,
    );
    const { width } = await sharp(join(folder, 'runs/latent/samples/step-0000002.png')).metadata();
    expect(width).toBeGreaterThan(64);
    expect((await run('info', 'runs/latent')).stdout).toMatch(
      /^ {2}latents {6}of the autoencoder [\da-f]{12}, kept with the run; scale 0\.18215, shift 0$/m,
    );
    const sampled = await run(...sample!);
    expect(sampled.code).toBe(0);
    expect(sampled.stdout).toMatch(
      /^8 samples of step 2 in samples\/latent\nLatents are in samples\/latent\/samples\.safetensors\nLook at samples\/latent\.png\n$/,
    );
    expect((await sharp(join(folder, 'samples/latent/dogs/3.png')).metadata()).width).toBe(8);
  }, 120_000);

  it('reads latents of others', async () => {
    const [check, ...more] = await commandsOf('## Latents of others');
    expect(more).toEqual([]);
    await rm(join(folder, 'imagenet-latents'), { recursive: true, force: true });
    await edm2Folder(join(folder, 'imagenet-latents'), [0, 1, 2]);
    const edm2 = parse(await readFile(join(folder, 'unnamed.yaml'), 'utf8')) as ConfigInput;
    expect(ParsedConfig.of(edm2).data).toMatchObject({ scaling: { shift: [5.81, 3.25, 0.12, -2.15] } });
    const { stdout } = await run(...check!);
    expect(stdout).toMatch(/^imagenet-latents: 3 samples of 2 x 3/);
    expect(stdout).toMatch(/^values +latents of the autoencoder [\da-f]{12}, scale 0\.18215, shift 0$/m);
  });

  it('imports models of latents', async () => {
    const [load, sample, lightning, ...more] = await commandsOf('## Latent models of others');
    expect(more).toEqual([]);
    const sizes = { width: 64, depth: 1, heads: 16, channels: 4, classes: 2 } as const;
    const model = new DiT({ ...sizes, patchSize: 2, imageSize: [4, 4] });
    await writeSafetensors(join(folder, 'SiT-XL-2-256.pt'), storedWeights(model));
    expect((await run(...load!)).code).toBe(0);
    const { code, stdout } = await run(...sample!, '--steps', '1', '--guidance', '1');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^2 samples of step 0 in samples\/sit\nLook at samples\/sit\.png\n$/);
    const parts = { norm: 'rms', mlp: 'swiglu', rotary: true } as const;
    const other = new DiT({ ...sizes, ...parts, patchSize: 1, imageSize: [2, 2] });
    await writeSafetensors(join(folder, 'lightningdit-xl.pt'), storedWeights(other));
    await writeFile(join(folder, 'latents_stats.pt'), statistics([1, 2, 3, 4], [1, 2, 4, 8]));
    // Any that makes as many channels, and a folder here.
    await cp(goldenAutoencoders.sd.folder, join(folder, 'vavae.pt'), { recursive: true });
    const loaded = await run(...lightning!);
    expect(loaded).toMatchObject({ code: 0 });
    expect(loaded.stderr).toContain('RMS norms with weights, SwiGLU in place of the MLP, rotary positions');
    expect((await run('info', 'runs/lightning')).stdout).toMatch(
      /^ +latents +of .*; scale 1, 0\.5, 0\.25, 0\.125, shift 1, 2, 3, 4$/m,
    );
  }, 60_000);
});

describe('data encode', () => {
  it('is stopped by Ctrl-C, and goes on', async () => {
    await mkdir(join(folder, 'many'), { recursive: true });
    await writePhotos(join(folder, 'many'), 8, 64);
    const args = [
      'data',
      'encode',
      'many',
      '--set',
      'data.size=64',
      '--autoencoder',
      'sd-vae-ft-mse',
      '--batch-size',
      '1',
    ];
    const begun = startRectiflow(folder, [...args, '--out', 'stopped']);
    while (!existsSync(join(folder, 'stopped/000000.journal')))
      await new Promise((resolve) => setTimeout(resolve, 5));
    begun.process.kill('SIGINT');
    const { code, stderr } = await begun.finished;
    expect({ code, stderr: stderr.includes('    at ') }).toEqual({ code: 130, stderr: false });
    expect((await run('data', 'check', 'stopped')).stderr).toMatch(
      /^error: stopped: is not complete.* goes on where it was stopped/m,
    );
    expect((await run(...args, '--out', 'stopped')).code).toBe(0);
    expect((await run(...args, '--out', 'whole')).code).toBe(0);
    expect((await run('data', 'verify', 'stopped')).code).toBe(0);
    const of = (name: string): Promise<string> => readFile(join(folder, name, 'latents.json'), 'utf8');
    expect(await of('stopped')).toBe(await of('whole'));
  }, 60_000);
});
