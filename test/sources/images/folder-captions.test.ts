// What the model is told of images in a folder.
import { copyFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { captionsOf } from '../../../src/data/captions.ts';
import { keepSamples } from '../../../src/data/kept-samples.ts';
import type { FolderData } from '../../../src/sources/settings.ts';
import type { Source } from '../../../src/data/source.ts';
import { describeTold, unusedAdvice } from '../../../src/data/told.ts';
import { captionAt, testFolder, unusedIn } from './test-folder.ts';

const folder = testFolder();
const fixture = fileURLToPath(new URL('../fixtures/parquet/metadata.parquet', import.meta.url));

describe('captions are read', () => {
  test.each<[string, Record<string, string>, string]>([
    ['.caption files', { 'a.caption': '\uFEFF a cat\r\n' }, '.caption files'],
    ['.TXT files', { 'a.TXT': 'a cat' }, '.TXT files'],
    ['a column prompt', { 'metadata.csv': 'file_name,prompt\na.png,a cat' }, 'metadata.csv, column prompt'],
    [
      'a header with spaces',
      { 'metadata.csv': 'file_name , text\na.png ,a cat' },
      'metadata.csv, column text',
    ],
    [
      'rows that a table left empty',
      { 'metadata.csv': 'file_name,text\r\na.png,a cat\r\n,\r\n ,\r\n' },
      'metadata.csv, column text',
    ],
    ['a header in capitals', { 'metadata.csv': 'FILE_NAME,TEXT\na.png,a cat' }, 'metadata.csv, column TEXT'],
    ['Metadata.CSV', { 'Metadata.CSV': 'file_name,text\na.png,a cat' }, 'Metadata.CSV, column text'],
    [
      'keys with spaces',
      { 'metadata.jsonl': '{"file_name": "a.png", "Text ": "a cat"}' },
      'metadata.jsonl, column Text ',
    ],
  ])('from %s', async (_, files, by) => {
    const source = await folder.open({ 'a.png': null, ...files });
    expect(describeTold(source)).toBe(`captions (${by})`);
    expect(await captionAt(source, 0)).toBe('a cat');
    expect(source.unused).toEqual([]);
  });

  test('from metadata in each of the folders below, and in the one above', async () => {
    const source = await folder.open({
      'a.png': null,
      'x/b.png': null,
      'x/y/c.png': null,
      'z/d.png': null,
      'metadata.csv': 'file_name,text\na.png,one\nz/d.png,four',
      'x/metadata.jsonl':
        '{"file_name": "b.png", "text": "two"}\n{"file_name": "./y/c.png", "text": "three"}',
    });
    expect(describeTold(source)).toBe('captions (metadata.csv, x/metadata.jsonl, column text)');
    expect(await Promise.all([0, 1, 2, 3].map((index) => captionAt(source, index)))).toEqual([
      'one',
      'two',
      'three',
      'four',
    ]);
    await writeFile(
      join(folder.root, 'metadata.csv'),
      'file_name,text\na.png,one\nx/b.png,two\nz/d.png,four',
    );
    await expect(folder.open({})).rejects.toThrow('x/metadata.jsonl: line 1: x/b.png comes a second time');
  });

  test('from one split of a set only', async () => {
    const csv = 'file_name,text\na.png,x\n';
    const split = {
      'train/a.png': null,
      'train/metadata.csv': csv,
      'test/a.png': null,
      'test/metadata.csv': csv,
    };
    await expect(folder.open(split)).rejects.toThrow(
      `its folders are splits, not one set: test, train. Set data.path to one of them, such as ${folder.root}/train`,
    );
    expect(describeTold(await folder.open({}, { path: join(folder.root, 'train') }))).toBe(
      'captions (metadata.csv, column text)',
    );
    for (const name of ['train', 'test']) await rm(join(folder.root, name, 'metadata.csv'));
    expect(unusedAdvice(await folder.open({}, { condition: 'none' }))).toEqual([
      'All folders are trained on, and look like splits of a set: test, train. Set data.path to one of them.',
    ]);
    await rm(join(folder.root, 'test'), { recursive: true });
    expect(unusedAdvice(await folder.open({}, { condition: 'none' }))).toEqual([]);
  });

  test('from metadata.parquet', async () => {
    const files = { 'a.png': null, 'x/b.png': null };
    await copyFile(fixture, join(folder.root, 'metadata.parquet'));
    await expect(folder.open(files)).rejects.toThrow(`1 of 2 images have no caption: ${folder.root}/x/b.png`);
    const source = await folder.open(files, { condition: 'class' });
    expect(source.classes).toBe(2);
    expect(describeTold(source)).toBe('labels (2 classes, metadata.parquet, column label)');
    expect(unusedIn(source)).toEqual(['1 column: "text"', '1 column: "id"']);
    await writeFile(join(folder.root, 'metadata.parquet'), 'no Parquet');
    await expect(folder.open(files)).rejects.toThrow('metadata.parquet: is no Parquet file');
  });

  test('from the columns and the endings that are set', async () => {
    const csv = 'file_name,caption,title,kind\na.png,x,a cat,cat\n';
    const files = { 'a.png': null, 'a.tags': 'tag', 'metadata.csv': csv };
    const byTitle = await folder.open(files, { captionColumn: 'title' });
    expect(await captionAt(byTitle, 0)).toBe('a cat');
    const byKind = await folder.open(files, { condition: 'class', labelColumn: 'Kind' });
    expect(byKind.classNames).toEqual(['cat']);
    expect(describeTold(byKind)).toBe('labels (1 class, metadata.csv, column kind)');
    await expect(folder.open(files, { captionColumn: 'tilte' })).rejects.toThrow(
      'metadata.csv: has no column "tilte" with values, only "file_name", "caption", "title", "kind". ' +
        'Set data.captionColumn. Did you mean "title"?',
    );
    await rm(join(folder.root, 'metadata.csv'));
    const byTags = await folder.open({}, { captionExtensions: ['TAGS'] });
    expect(await captionAt(byTags, 0)).toBe('tag');
  });

  test('of two files of one image from the first ending; the others are named', async () => {
    const files = { 'a.png': null, 'a.caption': 'second', 'a.txt': 'first' };
    const source = await folder.open(files);
    expect(await captionAt(source, 0)).toBe('first');
    expect(unusedAdvice(source)).toEqual([
      'Not used: 1 .caption file: a.caption. Captions are read from .txt files: remove these, or the others.',
    ]);
    expect(await captionAt(await folder.open(files, { captionExtensions: ['.caption', '.txt'] }), 0)).toBe(
      'second',
    );
  });

  test('from metadata rather than from files, which are named', async () => {
    const csv = 'file_name,text\na.png,of metadata\n';
    const source = await folder.open({ 'a.png': null, 'a.txt': 'of a file', 'metadata.csv': csv });
    expect(await captionAt(source, 0)).toBe('of metadata');
    expect(unusedAdvice(source)).toEqual([
      'Not used: 1 .txt file: a.txt. Captions are read from metadata.csv, column text: remove these, or the others.',
    ]);
    await writeFile(join(folder.root, 'metadata.csv'), 'file_name,label\na.png,cat\n');
    const both = await folder.open({});
    expect(await captionAt(both, 0)).toBe('of a file');
    expect(unusedIn(both)).toEqual(['1 column: "label"']);
    expect(unusedAdvice(both)).toEqual([]);
  });

  test('images that share one file are named', async () => {
    const source = await folder.open({
      'a.png': null,
      'a.jpg': null,
      'a.k.gif': null,
      'a.txt': 'a cat',
      'a.k.txt': 'x',
    });
    expect(unusedAdvice(source)).toEqual([
      '1 image with the caption of another that differs in its ending only: a.png. Remove copies, or rename them.',
    ]);
  });
});

describe('several captions of an image', () => {
  const draws = async (source: Source): Promise<(string | undefined)[]> =>
    Promise.all(Array.from({ length: 40 }, (_, epoch) => captionAt(source, 0, epoch)));

  test.each<[string, Record<string, string>, Partial<FolderData>]>([
    [
      'a list in metadata',
      { 'metadata.jsonl': '{"file_name": "a.png", "captions": ["one", " two", ""]}' },
      {},
    ],
    ['a list as the text', { 'metadata.jsonl': '{"file_name": "a.png", "text": ["one", "two"]}' }, {}],
    ['lines of a file', { 'a.txt': 'one\r\n\r\ntwo\r\n' }, { captionPerLine: true }],
  ])('%s: one is drawn in each epoch, by seed, epoch and index', async (_, files, change) => {
    const source = await folder.open({ 'a.png': null, ...files }, change);
    const drawn = await draws(source);
    expect(new Set(drawn)).toEqual(new Set(['one', 'two']));
    expect(drawn.filter((caption) => caption === 'one').length).toBeGreaterThan(10);
    expect(await draws(source)).toEqual(drawn);
    // A sample that is kept in memory would be told the same caption in every epoch.
    expect(await draws(keepSamples(source, 1e6))).toEqual(drawn);
    const all: string[] = [];
    for await (const caption of captionsOf(source)) all.push(caption);
    expect(all).toEqual(['one', 'two']);
    expect(source.examples).toEqual(['one']);
  });

  test('lines of a file are one caption unless a setting says otherwise', async () => {
    const source = await folder.open({ 'a.png': null, 'a.txt': 'one\ntwo\n' });
    expect(await captionAt(source, 0, 7)).toBe('one\ntwo');
    expect(source.isFixed).toBe(true);
  });
});

test('numbers as labels get the names of classes.json', async () => {
  const source = await folder.open({
    'a.png': null,
    'b.png': null,
    'metadata.csv': 'file_name,label\na.png,1\nb.png,0\n',
    'classes.json': '["cat", "dog"]',
  });
  expect(source).toMatchObject({ classes: 2, classNames: ['cat', 'dog'], unused: [] });
});
