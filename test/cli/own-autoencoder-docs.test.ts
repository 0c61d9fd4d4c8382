// What docs/latents.md says of autoencoders of one's own, done.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { formatValue } from '../../src/cli/format.ts';
import { recipeConfig } from '../../src/config/load-config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { seenDeviation } from '../../src/data/latents.ts';
import { readLatentsManifest } from '../../src/sources/latents/manifest.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';
import { docsBlocks, docsCommands, docsSection } from '../support/docs.ts';
import { writePhotos } from '../support/photos.ts';

const section = await docsSection('latents.md', '## Your own autoencoder');

describe('docs/latents.md, of your own autoencoder', () => {
  it('trains one, encodes with it, and exports it', async () => {
    const folder = await temporaryFolder();
    await writePhotos(join(folder, 'photos'), 6);
    const [config] = docsBlocks(section, 'yaml');
    expect(config).toMatch(/^# autoencoder\.yaml$/m);
    const small = config!
      .replace('size: 64', 'size: 8')
      .replace('[16, 32, 64]', '[8, 8, 8]')
      .replace('steps: 1400, batchSize: 16', 'steps: 2, batchSize: 2')
      .replace('count: 100, every: 200', 'count: 2, every: 1');
    await writeFile(join(folder, 'autoencoder.yaml'), small);
    const run = (args: string[]) => rectiflow(folder, args);
    const [train, info, encode, ...more] = docsCommands(section);

    const trained = await run(train!);
    expect(trained.code).toBe(0);
    const logged = await readFile(join(folder, 'runs/autoencoder/metrics.jsonl'), 'utf8');
    expect(JSON.parse(logged.trim().split('\n').at(-1)!)).toMatchObject({
      lossParts: { reconstruction: expect.any(Number), kl: expect.any(Number) },
      heldOutL1: expect.any(Number),
      heldOutPsnr: expect.any(Number),
    });
    expect((await run(info!)).stdout).toMatch(
      /^ {2}autoencoder {2}levels of 8, 8, 8 channels, latents 2x2x4$/m,
    );

    const encoded = await run(encode!);
    expect(encoded.code).toBe(0);
    expect(encoded.stdout).toMatch(
      /^6 images, 8x8 of 3 channels, became latents of 2x2 of 4 channels: latents/,
    );
    // The scale is that of the pictures it was trained on; two of these were held out.
    const manifest = await readLatentsManifest(join(folder, 'latents'));
    const seen = seenDeviation(manifest.settings.autoencoder.scaling, manifest.statistics);
    expect(encoded.stdout).toContain(`a model sees them with the deviation ${formatValue(seen)}, `);
    const { scaling_factor: scale } = JSON.parse(
      await readFile(join(folder, 'runs/autoencoder/autoencoder/config.json'), 'utf8'),
    ) as Record<string, unknown>;
    expect(manifest.settings.autoencoder.scaling).toEqual({ scale, shift: 0 });

    const exported = await run(more[0]!);
    expect(exported.code).toBe(0);
    const { _class_name: name } = JSON.parse(
      await readFile(join(folder, 'my-autoencoder/config.json'), 'utf8'),
    ) as Record<string, unknown>;
    expect(name).toBe('AutoencoderKL');

    await writeFile(
      join(folder, 'mine.yaml'),
      'data: { source: latents, path: latents }\nmodel: { width: 16, depth: 1, heads: 2, patchSize: 1 }\n' +
        'train: { steps: 1, batchSize: 2 }\nsample: { perClass: 1, steps: 1 }\n',
    );
    expect((await run(['train', 'mine.yaml'])).code).toBe(0);
    const { width, height } = await sharp(join(folder, 'runs/mine/samples/step-0000001.png')).metadata();
    expect(Math.min(width, height)).toBeGreaterThanOrEqual(8);
  }, 120_000);

  it('walks through recipes that fit each other', () => {
    const [first, encode, second] = docsCommands(section).slice(-5);
    expect([first, second]).toEqual([
      ['train', 'emoji-autoencoder'],
      ['train', 'emoji-latents'],
    ]);
    const autoencoder = resolveConfig(recipeConfig('emoji-autoencoder'), {
      facts: { name: 'emoji', count: 1906, shape: [3, 64, 64] },
    });
    if (autoencoder.model.kind !== 'autoencoder') throw new Error(autoencoder.model.kind);
    const { latentChannels, blockOutChannels } = autoencoder.model;
    const side = 64 / 2 ** (blockOutChannels.length - 1);
    const latents = resolveConfig(recipeConfig('emoji-latents'), {
      facts: { name: 'latents', count: 1906, shape: [latentChannels, side, side], captions: true },
    });
    expect(latents.data).toMatchObject({ source: 'latents', path: encode!.at(-1) });
    const emoji = resolveConfig(recipeConfig('emoji'), {
      facts: { name: 'emoji', count: 1906, shape: [3, 32, 32], captions: true },
    });
    const tokens = (model: typeof latents.model): number => {
      if (model.kind !== 'text-dit') throw new Error(model.kind);
      return (model.imageSize[0] * model.imageSize[1]) / model.patchSize ** 2;
    };
    expect(tokens(latents.model)).toBe(tokens(emoji.model));
  });

  it('says how to make latents that are not there', async () => {
    const { code, stderr } = await rectiflow(await temporaryFolder(), ['train', 'emoji-latents']);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: emoji-latents: .*Make them with: rectiflow data encode <config> --autoencoder <path> --out emoji-latents, or correct data\.path/,
    );
  });
});
