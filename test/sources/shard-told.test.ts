import { describe, expect, test } from 'vitest';
import type { ShardsData } from '../../src/sources/settings.ts';
import { describeTold, describeUnused, unusedAdvice } from '../../src/data/told.ts';
import { pixel, readAll, useShardFolder } from '../support/shard-set.ts';

const { inFolder, shard, open } = useShardFolder();

describe('what the model is told', () => {
  test.each<[string, Record<string, string>, Partial<ShardsData>, string]>([
    ['cls members', { '0.cls': '1' }, {}, 'labels (2 classes, cls members)'],
    ['a key class', { '0.json': '{"class": 1}' }, {}, 'labels (2 classes, json members, key class)'],
    [
      'a key that is set',
      { '0.json': '{"kind": 1}' },
      { labelColumn: 'kind' },
      'labels (2 classes, json members, key kind)',
    ],
    ['txt members', { '0.txt': 'a cat' }, {}, 'captions (txt members)'],
    ['caption members', { '0.CAPTION': 'a cat' }, {}, 'captions (caption members)'],
    [
      'an ending that is set',
      { '0.tags': 'a cat' },
      { captionExtensions: ['.tags'] },
      'captions (tags members)',
    ],
    ['a key prompt', { '0.json': '{"Prompt": "a cat"}' }, {}, 'captions (json members, key Prompt)'],
    [
      'a key that is set',
      { '0.json': '{"alt": "a cat"}' },
      { captionColumn: 'alt' },
      'captions (json members, key alt)',
    ],
    ['nothing', {}, {}, 'nothing: unconditional'],
  ])('by %s', async (_, members, change, told) => {
    await shard('a.tar', { '0.png': await pixel(1), ...members });
    const source = await open(change);
    expect(describeTold(source)).toBe(told);
    expect(source.unused).toEqual([]);
    const [[, annotation]] = (await readAll(source)) as [[number, object]];
    expect(annotation).toEqual(source.captions ? { caption: 'a cat' } : source.classes ? { label: 1 } : {});
  });

  test.each([
    ['cls members', { '0.txt': 'a cat', '0.cls': '1' }],
    ['json members, key label', { '0.json': '{"text": "a cat", "label": 1}' }],
  ])('by captions, and labels in %s are named as not used', async (by, members) => {
    await shard('a.tar', { '0.png': await pixel(1), ...members });
    expect((await open()).unused!.map(describeUnused)).toEqual([`1 set of labels: ${by}`]);
    expect((await open({ condition: 'caption' })).unused!.map(describeUnused)).not.toContain('set of labels');
  });

  test('by folders or a table in a shard it is told nothing, and that is said', async () => {
    await shard('a.tar', {
      'cat/0.png': await pixel(1),
      'dog/0.png': await pixel(2),
      'metadata.jsonl': '{"file_name": "cat/0.png", "text": "a cat"}',
    });
    const source = await open();
    expect(describeTold(source)).toBe('nothing: unconditional');
    expect(unusedAdvice(source)).toEqual([
      expect.stringContaining('beside each image, as 0.txt and 0.cls beside 0.png'),
      expect.stringMatching(/^Not used: 2 folder names: cat, dog\. If they are classes, unpack/),
    ]);
  });

  test('a table beside classes that are read is nothing to do about', async () => {
    await shard('a.tar', { '0.png': await pixel(1), '0.cls': '0', 'metadata.csv': 'file_name,text' });
    const source = await open();
    await source.close?.();
    expect(source.unused!.map(describeUnused)).toEqual([expect.stringMatching(/^1 csv member: /)]);
    expect(unusedAdvice(source)).toEqual([]);
  });

  test('several captions, of which one is drawn in each epoch', async () => {
    await shard('a.tar', { '0.png': await pixel(1), '0.json': '{"captions": ["one", "two"]}' });
    await shard('b.tar', { '1.png': await pixel(2), '1.txt': 'one\r\ntwo\n' });
    const source = await open({ captionPerLine: true });
    expect(source.isFixed).toBe(false);
    for (const index of [0, 1]) {
      const drawn = new Set<unknown>();
      for (let epoch = 0; epoch < 20; epoch++) {
        drawn.add((await source.read(index, new Float32Array(1), 0, { seed: 0, epoch })).caption);
      }
      expect(drawn).toEqual(new Set(['one', 'two']));
    }
    await source.close?.();
  });

  test('members and keys that are not used are named, with what to do where the model is told nothing', async () => {
    await shard('a.tar', {
      '0.png': await pixel(1),
      '0.label': '1',
      '0.prompt': 'a cat',
      '0.heic': '',
      '0.seg.png': '',
      '0.json': '{"alt": "a cat", "species": "cat", "id": 7}',
    });
    const source = await open();
    await source.close?.();
    expect(source.unused!.map(describeUnused)).toEqual([
      `1 label member: ${inFolder('a.tar')}: 0.label`,
      `1 prompt member: ${inFolder('a.tar')}: 0.prompt`,
      `1 heic member: ${inFolder('a.tar')}: 0.heic`,
      `1 seg.png member: ${inFolder('a.tar')}: 0.seg.png`,
      '1 key: "alt"',
      '1 key: "species"',
      '1 key: "id"',
    ]);
    expect(source.unused!.map(({ advice }) => advice)).toEqual([
      'Classes are read from cls and json members: if these hold the numbers of classes, end their names in .cls.',
      'If they hold captions, set data.captionExtensions to [.prompt].',
      'Convert it to PNG or JPEG: heif-convert FILE out.png.',
      undefined,
      'If it holds captions, set data.captionColumn to it.',
      'If it holds classes, set data.labelColumn to it.',
      undefined,
    ]);
  });

  test('captions of only some samples, where the others have classes, are named', async () => {
    const members = {
      '0.png': await pixel(1),
      '0.cls': '0',
      '0.txt': 'a',
      '1.png': await pixel(2),
      '1.cls': '1',
    };
    await shard('a.tar', members);
    const source = await open();
    await source.close?.();
    expect(describeTold(source)).toBe('labels (2 classes, cls members)');
    expect(unusedAdvice(source)).toEqual([
      `Not used: 1 caption: ${inFolder('a.tar')}: 0. Only some images have one: give each image a caption to train on ` +
        'captions, or set data.condition to class.',
    ]);
  });
});
