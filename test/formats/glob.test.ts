import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expandPaths } from '../../src/formats/glob.ts';

let folder: string;
const FILES = [
  's-000.tar',
  's-001.tar',
  's-002.tar',
  's-010.tar',
  'odd{1}[x].tar',
  '.hidden.tar',
  'a/one.tar',
  'a/b/two.tar',
  'a/b/two.txt',
];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'glob-'));
  for (const file of FILES) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), '');
  }
});
afterAll(() => rm(folder, { recursive: true }));

async function expand(...patterns: string[]): Promise<string[]> {
  const paths = await expandPaths(
    patterns.map((pattern) => join(folder, pattern)),
    'shards',
  );
  return paths.map((path) => relative(folder, path));
}

test.each<[string[], string[]]>([
  [['s-000.tar'], ['s-000.tar']],
  [['s-*.tar'], ['s-000.tar', 's-001.tar', 's-002.tar', 's-010.tar']],
  [['s-{000..002}.tar'], ['s-000.tar', 's-001.tar', 's-002.tar']],
  [['{s-{001..002},a/one}.tar'], ['a/one.tar', 's-001.tar', 's-002.tar']],
  [['s-00?.tar'], ['s-000.tar', 's-001.tar', 's-002.tar']],
  [['s-00[!1].tar'], ['s-000.tar', 's-002.tar']],
  [['s-0[01][0-1].tar'], ['s-000.tar', 's-001.tar', 's-010.tar']],
  [
    ['s-01*.tar', 's-010.tar', 'a/*.tar'],
    ['a/one.tar', 's-010.tar'],
  ],
  [['a/**/*.tar'], ['a/b/two.tar', 'a/one.tar']],
  [['**/*.txt'], ['a/b/two.txt']],
  [['*/b/two.*'], ['a/b/two.tar', 'a/b/two.txt']],
  [['odd{1}[x].tar'], ['odd{1}[x].tar']],
  [['odd{1}*.tar'], ['odd{1}[x].tar']],
  [['.hid*'], ['.hidden.tar']],
])('%j', async (patterns, wanted) => {
  expect(await expand(...patterns)).toEqual(wanted);
});

test('links to files and folders are followed, by ** only to files', async () => {
  await mkdir(join(folder, 'links'));
  await symlink(join(folder, 's-000.tar'), join(folder, 'links', 'file.tar'));
  await symlink(join(folder, 'a'), join(folder, 'links', 'folder.tar'));
  expect(await expand('links/*.tar')).toEqual(['links/file.tar']);
  expect(await expand('links/*/*.tar')).toEqual(['links/folder.tar/one.tar']);
  expect(await expand('links/**')).toEqual(['links/file.tar']);
});

describe('what is refused', () => {
  test.each<[string, RegExp]>([
    ['none-*.tar', /none-\*\.tar: matches no files/],
    ['nowhere/*.tar', /matches no files/],
    ['none.tar', /none\.tar: no such file/],
    ['s-{000..003}.tar', /s-003\.tar: no such file/],
    ['a', /a: is a folder, not a file\. Name its files with a pattern such as .*a\/\*/],
    ['s-{3..1}.tar', /counts down from 3 to 1/],
    ['s-{0..99999999}.tar', /names more than 1000000 files/],
    ['{0..9999}{0..9999}.tar', /names more than 1000000 files/],
    ['s-[9-0].tar', /is no pattern/],
  ])('%s', async (pattern, message) => {
    await expect(expand(pattern)).rejects.toThrow(message);
  });

  test('no path at all', async () => {
    await expect(expandPaths([], 'shards')).rejects.toThrow(/shards: no path is given/);
  });
});

test('patterns that a regular expression would try in every way take no time', async () => {
  const name = 'a'.repeat(100);
  await writeFile(join(folder, name), '');
  await mkdir(join(folder, ...'xyxyxyxyxyxy'), { recursive: true });
  const start = performance.now();
  for (const pattern of [
    `${'[a-z]*'.repeat(30)}!`,
    `${'?*'.repeat(120)}`,
    `${'*a'.repeat(40)}b`,
    `${'**/*/'.repeat(20)}z.tar`,
  ])
    await expect(expand(pattern)).rejects.toThrow('matches no files');
  expect(await expand('[a-z]*'.repeat(30))).toEqual([name]);
  expect(await expand('*a'.repeat(100))).toEqual([name]);
  expect(performance.now() - start).toBeLessThan(10_000);
});
