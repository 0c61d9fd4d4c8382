import { mkdir, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { pixel, readAll, useShardFolder } from '../support/shard-set.ts';

const { inFolder, shard, open } = useShardFolder();

test('classes: images of two shards in order, other members and hidden ones passed over', async () => {
  await shard('b.tar', { 'x/2.cls': ' 4\n', 'x/2.webp': await pixel(30, 'webp'), 'x/2.seg.png': 'other' });
  await shard('a.tar', {
    '0.png': await pixel(10),
    '0.cls': '1',
    '0.npy': 'other',
    '._0.png': 'other',
    README: 'other',
    '1.PNG': await pixel(20),
    '1.json': '{"label": 0, "size": [1, 1]}',
  });
  const source = await open();
  expect(source).toMatchObject({ count: 3, shape: [1, 1, 1], classes: 5 });
  expect(source.classNames).toBeUndefined();
  expect(source.describe?.(2)).toBe(`${inFolder('b.tar')}: x/2`);
  expect(await readAll(source)).toEqual([
    [10, { label: 1 }],
    [20, { label: 0 }],
    [30, { label: 4 }],
  ]);
});

test('captions: txt before json, blanks around them gone', async () => {
  await shard('a.tar', {
    '0.json': '{"text": "of json"}',
    '0.png': await pixel(1),
    '0.txt': ' ein Föhn\n',
    '1.png': await pixel(2),
    '1.json': '{"caption": "of json"}',
    '2.png': await pixel(3),
    '2.txt': '',
  });
  const source = await open();
  expect(source).toMatchObject({ count: 3, captions: true });
  expect(await readAll(source)).toEqual([
    [1, { caption: 'ein Föhn' }],
    [2, { caption: 'of json' }],
    [3, { caption: '' }],
  ]);
});

test('what the condition does not ask for is not looked at', async () => {
  await shard('a.tar', {
    '0.png': await pixel(1),
    '0.cls': 'cat',
    '0.json': '{"label": [], "caption": "a"}',
  });
  await expect(open()).rejects.toThrow(/is no class/);
  expect(await readAll(await open({ condition: 'caption' }))).toEqual([[1, { caption: 'a' }]]);
  expect(await readAll(await open({ condition: 'none' }))).toEqual([[1, {}]]);
});

test.each([
  ['classes.json', '["cat", "dog"]'],
  ['classes.json', '\uFEFF["cat", "dog"]'],
  ['classnames.txt', '\uFEFFcat \r\ndog\r\n\r\n'],
])('names of classes from %s', async (file, content) => {
  await writeFile(inFolder(file), content);
  await shard('a.tar', {
    '0.png': await pixel(1),
    '0.json': '\uFEFF{"class": "dog"}',
    '1.png': await pixel(2),
    '1.cls': '\uFEFF0',
    '2.png': await pixel(3),
    '2.cls': 'dog\n',
  });
  const source = await open();
  expect(source).toMatchObject({ classes: 2, classNames: ['cat', 'dog'] });
  expect(await readAll(source)).toEqual([
    [1, { label: 1 }],
    [2, { label: 0 }],
    [3, { label: 1 }],
  ]);
});

describe('what is refused, with the shard and the sample', () => {
  const png = (): Promise<Buffer> => pixel(1);
  type Members = Record<string, string | Buffer>;
  test.each<[string, () => Promise<Members>, RegExp]>([
    [
      'no images',
      async () => ({ 'a.npy': 'x', 'b.heic': 'x' }),
      /a\.tar: holds no images: there are only members ending in npy, heic/,
    ],
    [
      'images with dots in their names',
      async () => ({ 'a.0.png': await png(), 'a.1.png': await png() }),
      /only members ending in 0\.png, 1\.png\. A sample's name ends at its first dot: .*a-0\.png for a\.0\.png/,
    ],
    ['no members', async () => ({}), /holds no images: there are no members/],
    [
      'a class alone',
      async () => ({ '0.png': await png(), '1.cls': '3' }),
      /a\.tar: 1\.cls has no image beside it/,
    ],
    [
      'a caption alone',
      async () => ({ '0.png': await png(), 'x/1.txt': 'a' }),
      /a\.tar: x\/1\.txt has no image beside it/,
    ],
    [
      'a second image',
      async () => ({ '0.png': await png(), '0.jpg': 'x' }),
      /a\.tar: 0\.jpg: is a second image of the sample 0/,
    ],
    [
      'a class in words',
      async () => ({ '0.png': await png(), '0.cls': 'cat' }),
      /a\.tar: 0\.cls: is no class: "cat"/,
    ],
    ['a negative class', async () => ({ '0.png': await png(), '0.cls': '-1' }), /0\.cls: is no class: "-1"/],
    [
      'a class of 2^31',
      async () => ({ '0.png': await png(), '0.cls': '2147483648' }),
      /0\.cls: is no class: "2147483648"/,
    ],
    ['an empty class', async () => ({ '0.png': await png(), '0.cls': '' }), /0\.cls: is no class: ""/],
    [
      'json of a list',
      async () => ({ '0.png': await png(), '0.json': '[]' }),
      /a\.tar: 0\.json: holds JSON that is not an object/,
    ],
    [
      'broken json',
      async () => ({ '0.png': await png(), '0.json': '{' }),
      /a\.tar: 0\.json: holds no valid JSON/,
    ],
    [
      'a name without names',
      async () => ({ '0.png': await png(), '0.json': '{"class": "cat"}' }),
      /has the class "cat", and there is no classes\.json/,
    ],
    [
      'an odd class',
      async () => ({ '0.png': await png(), '0.json': '{"class": 1.5}' }),
      /0\.json: has the class 1\.5/,
    ],
    [
      'an odd caption',
      async () => ({ '0.png': await png(), '0.json': '{"text": 5}' }),
      /0\.json: has the caption 5/,
    ],
    [
      'classes of some',
      async () => ({ '0.png': await png(), '0.cls': '1', '1.png': await png() }),
      /1 of 2 images have no label: .*a\.tar: 1/,
    ],
    [
      'too long',
      async () => ({ '0.png': await png(), '0.txt': Buffer.alloc(1 << 21) }),
      /0\.txt: has 2097152 bytes, more than 1048576/,
    ],
  ])('%s', async (_, members, message) => {
    await shard('a.tar', await members());
    await expect(open()).rejects.toThrow(message);
  });

  test('a sample in two shards', async () => {
    await shard('a.tar', { '0.png': await pixel(1) });
    await shard('b.tar', { '0.png': await pixel(2) });
    await expect(open()).rejects.toThrow(/b\.tar: the sample 0 is also in .*a\.tar/);
  });

  test('a class of another name', async () => {
    await writeFile(inFolder('classes.json'), '["cat", "dog"]');
    await shard('a.tar', { '0.png': await pixel(1), '0.json': '{"class": "dogs"}' });
    await expect(open()).rejects.toThrow(
      /has the class "dogs", which is not in classes\.json.*Did you mean "dog"\?/,
    );
  });

  test('a class of no name among very many, at once', async () => {
    const names = Array.from({ length: 100_000 }, (_, i) => `class ${i}`);
    await writeFile(inFolder('classes.json'), JSON.stringify(names));
    const samples = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => [
        [`${i}.png`, await pixel(1)] as const,
        [`${i}.json`, JSON.stringify({ class: `klass ${99_980 + i}` })] as const,
      ]),
    );
    await shard('a.tar', Object.fromEntries(samples.flat()));
    await expect(open()).rejects.toThrow(/Did you mean "class \d+"\?/);
    await writeFile(inFolder('classes.json'), JSON.stringify([...names, 'class 7']));
    await expect(open()).rejects.toThrow(/the class "class 7" comes twice/);
  });

  test.each([
    ['[', /holds no valid JSON/],
    ['{"cat": 0}', /is no list of names/],
    ['["cat", "cat"]', /the class "cat" comes twice/],
    ['["cat", ""]', /name 1 is empty/],
  ])('classes.json of %s', async (content, message) => {
    await writeFile(inFolder('classes.json'), content);
    await shard('a.tar', { '0.png': await pixel(1) });
    await expect(open()).rejects.toThrow(message);
  });

  test('at the read: a caption that is no UTF-8, a broken image, a shard that shrank', async () => {
    await shard('a.tar', {
      '0.png': await pixel(1),
      '0.txt': Buffer.of(0xff),
      '1.png': 'no image',
      '1.txt': 'b',
    });
    const source = await open();
    const read = (index: number) => source.read(index, new Float32Array(1), 0, { seed: 0, epoch: 0 });
    await expect(read(0)).rejects.toThrow(/a\.tar: 0: is no text in UTF-8\. Save it as UTF-8\./);
    await expect(read(1)).rejects.toThrow(/a\.tar: 1: /);
    await source.close?.();
    await writeFile(inFolder('a.tar'), '');
    await expect(read(0)).rejects.toThrow(/a\.tar: ends at byte/);
    await source.close?.();
  });
});

test('more shards than may be open at once', async () => {
  const many = 70;
  for (let i = 0; i < many; i++)
    await shard(`s-${String(i).padStart(3, '0')}.tar`, { [`${i}.png`]: await pixel(i) });
  const source = await open({ path: inFolder('s-{000..069}.tar') });
  const out = new Float32Array(many);
  await Promise.all(Array.from(out, (_, i) => source.read(i, out, i, { seed: 0, epoch: 0 })));
  expect([...out].map((value) => Math.round((value + 1) * 127.5))).toEqual(Array.from(out, (_, i) => i));
  await source.close?.();
});

test('shards of several folders', async () => {
  await mkdir(inFolder('more'));
  await shard('a.tar', { '0.png': await pixel(1) });
  await shard('more/b.tar', { '1.png': await pixel(2) });
  const source = await open({ path: [inFolder('a.tar'), inFolder('more', '*')] });
  expect(await readAll(source)).toEqual([
    [1, {}],
    [2, {}],
  ]);
});

test('a fingerprint: the same for the same samples, another where one is replaced or told otherwise', async () => {
  const found = async (first: Buffer, label: string): Promise<string> => {
    await shard('a.tar', { '0.png': first, '0.cls': label, '1.png': await pixel(2), '1.cls': '1' });
    const source = await open();
    try {
      return await source.fingerprint!();
    } finally {
      await source.close!();
    }
  };
  const before = await found(await pixel(1), '0');
  expect(await found(await pixel(1), '0')).toBe(before);
  expect(await found(await pixel(3), '0')).not.toBe(before);
  expect(await found(await pixel(1), '1')).not.toBe(before);
});
