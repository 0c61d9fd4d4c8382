import { describe, expect, it } from 'vitest';
import type { SourceFacts } from '../../src/data/source.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { resolveConfig, ParsedConfig } from '../../src/config/resolve-config.ts';

const sizes = { width: 32, depth: 1, heads: 2 };
const folder: ConfigInput = {
  data: { source: 'folder', path: 'photos', size: 16 },
  model: { ...sizes, patchSize: 4 },
};
const photos: SourceFacts = { name: 'photos', count: 9, shape: [3, 16, 16] };
const cells: SourceFacts = { name: 'cells', count: 9, shape: [70], classes: 3 };

describe('settings of data', () => {
  it('fill in what is left out', () => {
    expect(ParsedConfig.of(folder).data).toEqual({
      source: 'folder',
      path: 'photos',
      condition: 'auto',
      channels: 3,
      background: '#ffffff',
      maxPixels: 100_000_000,
      transforms: [
        { kind: 'resize', size: 16 },
        { kind: 'center-crop', size: 16 },
      ],
    });
    const crop: ConfigInput = {
      data: {
        source: 'shards',
        path: ['a.tar', 'b.tar'],
        transforms: [{ kind: 'random-resized-crop', size: [8, 12] }, { kind: 'horizontal-flip' }],
      },
    };
    expect(ParsedConfig.of(crop).data).toMatchObject({
      transforms: [
        { kind: 'random-resized-crop', size: [8, 12], scale: [0.08, 1], ratio: [3 / 4, 4 / 3] },
        { kind: 'horizontal-flip', probability: 0.5 },
      ],
    });
  });

  it('of latents have a scale for all channels, or one for each', () => {
    const latents = { source: 'latents', path: 'a' } as const;
    const complete = { ...latents, condition: 'auto', draw: true, flip: 'auto', scaling: 'auto' };
    expect(ParsedConfig.of({ data: latents }).data).toEqual(complete);
    const scaling = { scale: [1, 2] };
    expect(ParsedConfig.of({ data: { ...latents, scaling } }).data).toMatchObject({
      scaling: { scale: [1, 2], shift: 0 },
    });
  });

  it('a size of another shape is stretched to, not cropped', () => {
    const { transforms } = ParsedConfig.of({ data: { source: 'emoji', size: [8, 12] } }).data as {
      transforms: unknown;
    };
    expect(transforms).toEqual([{ kind: 'resize', size: [8, 12] }]);
  });

  it.each<[unknown, RegExp]>([
    [{ source: 'folder' }, /data\.path: wanted a path, found nothing/],
    [{ source: 'folder', path: '' }, /data\.path: wanted a path, found ""/],
    [
      { source: 'folder', path: 'a' },
      /data\.size: wanted the size of the images, as in 32, or data\.transforms/,
    ],
    [{ source: 'folder', path: 'a', size: 0 }, /data\.size: wanted a whole number from 1, found 0/],
    [{ source: 'latents' }, /data\.path: wanted a path, found nothing/],
    [{ source: 'latents', path: 'a', flip: 2 }, /data\.flip: wanted a number from 0 to 1, found 2/],
    [
      { source: 'latents', path: 'a', scaling: 'x' },
      /data\.scaling: wanted auto, autoencoder, statistics, or numbers/,
    ],
    [{ source: 'latents', path: 'a', scaling: { scale: 0 } }, /data\.scaling/],
    [{ source: 'folder', path: 'a', size: 8, transforms: [] }, /data: size and transforms both say/],
    [
      { source: 'folder', path: 'a', size: 8, channels: 4 },
      /data\.channels: wanted 1 \(grey\) or 3 \(RGB\), found 4/,
    ],
    [
      { source: 'folder', path: 'a', size: 8, background: 'white' },
      /wanted a colour, as in #ffffff, found "white"/,
    ],
    [
      { source: 'folder', path: 'a', transforms: [{ kind: 'flip' }] },
      /transforms\.0\.kind: wanted one of resize/,
    ],
    [
      {
        source: 'folder',
        path: 'a',
        transforms: [{ kind: 'random-resized-crop', size: 8, scale: [0.5, 2] }],
      },
      /two shares of the area, 1 at most/,
    ],
    [
      { source: 'folder', path: 'a', transforms: [{ kind: 'random-resized-crop', size: 8, ratio: [2, 1] }] },
      /two proportions/,
    ],
    [{ source: 'parquet', path: [] }, /data\.path: wanted a path, or a list of paths/],
    [{ source: 'expression', path: 'a', holdOut: 1 }, /holdOut: wanted a number from 0, below 1, found 1/],
    [{ source: 'folders', path: 'a' }, /data\.source: wanted one of digits, .*Did you mean "folder"/],
  ])('%j is refused', (data, message) => {
    expect(() => ParsedConfig.of({ data } as ConfigInput).data).toThrow(message);
  });
});

describe('the model that data ask for', () => {
  it('has their size, and their classes where there are any', () => {
    const image = { kind: 'dit', channels: 3, imageSize: [16, 16] };
    expect(resolveConfig(folder, { facts: photos }).model).toMatchObject({ ...image, classes: 0 });
    const labelled = resolveConfig(folder, { facts: { ...photos, classes: 2 } });
    expect(labelled).toMatchObject({
      model: { ...image, classes: 2 },
      sample: { labels: [0, 1], guidance: 2 },
    });
  });

  it('takes captions where samples have them, and tries some of them', () => {
    const facts = { ...photos, captions: true, examples: ['a cat', 'a dog'] };
    const config = resolveConfig(folder, { facts });
    expect(config).toMatchObject({
      model: { kind: 'text-dit', text: { tokenizer: 'byte-pairs', length: 32 } },
      flow: { labelDropout: 0.1 },
      sample: { prompts: ['a cat', 'a dog'], labels: [], guidance: 2 },
    });
    expect(config.model).not.toHaveProperty('classes');
  });

  it('is one over genes for gene expression', () => {
    const input: ConfigInput = {
      data: { source: 'expression', path: 'a.h5ad' },
      model: { ...sizes, groupSize: 10 },
    };
    const { model } = resolveConfig(input, { facts: cells });
    expect(model).toEqual({
      kind: 'expression-dit',
      ...sizes,
      groupSize: 10,
      genes: 70,
      classes: 3,
      timeScale: 1000,
    });
    const preset = resolveConfig(
      { ...input, model: { preset: 'DiT-Ti/1', groupSize: 10 } },
      { facts: cells },
    );
    expect(preset.model).toMatchObject({ width: 192, genes: 70 });
  });

  it('resolves again to the same, without the data', () => {
    for (const [input, facts] of [
      [folder, { ...photos, captions: true, examples: ['x'] }],
      [{ ...folder, model: { ...sizes, groupSize: 7 }, data: { source: 'expression', path: 'a' } }, cells],
    ] as [ConfigInput, SourceFacts][]) {
      const config = resolveConfig(input, { facts });
      expect(resolveConfig(JSON.parse(JSON.stringify(config)) as ConfigInput)).toEqual(config);
    }
  });

  it.each<[ConfigInput, SourceFacts | undefined, RegExp]>([
    [
      folder,
      undefined,
      /model\.channels: wanted a value, as this data source does not tell it, found nothing/,
    ],
    [folder, cells, /model\.patchSize: no setting of the model expression-dit/],
    [{ ...folder, model: { ...sizes, patchSize: 5 } }, photos, /must be a multiple of the patch size 5/],
    [
      { ...folder, model: { ...folder.model, imageSize: 8 } },
      photos,
      /images are \[C, H, W\] = \[3, 16, 16\]/,
    ],
    [
      { ...folder, model: { ...folder.model, kind: 'text-dit' } },
      photos,
      /samples have no captions, the model takes them/,
    ],
    [
      { ...folder, model: { ...folder.model, text: { width: 30, heads: 4 } } },
      { ...photos, captions: true },
      /text\.heads must be a divisor of the width 30/,
    ],
    [
      { ...folder, sample: { prompts: ['a cat'] } },
      photos,
      /sample\.prompts: wanted no captions: the model takes none/,
    ],
    [
      { ...folder, model: { ...folder.model, text: { length: 8 } } },
      photos,
      /model\.text is set, but the model would be told nothing: unconditional/,
    ],
  ])('%# is refused', (input, facts, message) => {
    expect(() => resolveConfig(input, { facts })).toThrow(message);
  });
});
