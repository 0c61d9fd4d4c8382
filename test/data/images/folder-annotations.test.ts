// What the model is told of images in a folder, and what lies there and is not used.
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { captionsOf } from '../../../src/data/captions.ts';
import { openFolder } from '../../../src/data/images/folder.ts';
import { keepSamples } from '../../../src/data/kept-samples.ts';
import type { FolderData } from '../../../src/data/settings.ts';
import type { Source } from '../../../src/data/source.ts';
import { describeTold, describeUnused, unusedAdvice } from '../../../src/data/told.ts';
import { plain, settingsOf } from './pictures.ts';

let root: string;
const fixture = fileURLToPath(new URL('../fixtures/parquet/metadata.parquet', import.meta.url));
const picture = await plain('#336699', 4, 4).png().toBuffer();

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'rectiflow-told-'));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

/** Opens a folder of these files; null is a picture. */
async function open(files: Record<string, string | null>, change: Partial<FolderData> = {}): Promise<Source> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), content ?? picture);
  }
  return openFolder({ source: 'folder', path: root, condition: 'auto', ...settingsOf(4), ...change });
}

async function captionAt(source: Source, index: number, epoch = 0): Promise<string | undefined> {
  const { caption } = await source.read(index, new Float32Array(3 * 4 * 4), 0, { seed: 0, epoch });
  return caption;
}

const unusedOf = (source: Source): string[] => (source.unused ?? []).map(describeUnused);

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
    const source = await open({ 'a.png': null, ...files });
    expect(describeTold(source)).toBe(`captions (${by})`);
    expect(await captionAt(source, 0)).toBe('a cat');
    expect(source.unused).toEqual([]);
  });

  test('from metadata in each of the folders below, and in the one above', async () => {
    const source = await open({
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
    await writeFile(join(root, 'metadata.csv'), 'file_name,text\na.png,one\nx/b.png,two\nz/d.png,four');
    await expect(open({})).rejects.toThrow('x/metadata.jsonl: line 1: x/b.png comes a second time');
  });

  test('from metadata.parquet', async () => {
    const files = { 'a.png': null, 'x/b.png': null };
    await copyFile(fixture, join(root, 'metadata.parquet'));
    await expect(open(files)).rejects.toThrow(`1 of 2 images have no caption: ${root}/x/b.png`);
    const source = await open(files, { condition: 'class' });
    expect(source.classes).toBe(2);
    expect(describeTold(source)).toBe('labels (2 classes, metadata.parquet, column label)');
    expect(unusedOf(source)).toEqual(['1 column: "text"', '1 column: "id"']);
    await writeFile(join(root, 'metadata.parquet'), 'no Parquet');
    await expect(open(files)).rejects.toThrow('metadata.parquet: is no Parquet file');
  });

  test('from the columns and the endings that are set', async () => {
    const csv = 'file_name,caption,title,kind\na.png,x,a cat,cat\n';
    const files = { 'a.png': null, 'a.tags': 'tag', 'metadata.csv': csv };
    const byTitle = await open(files, { captionColumn: 'title' });
    expect(await captionAt(byTitle, 0)).toBe('a cat');
    const byKind = await open(files, { condition: 'class', labelColumn: 'Kind' });
    expect(byKind.classNames).toEqual(['cat']);
    expect(describeTold(byKind)).toBe('labels (1 class, metadata.csv, column kind)');
    await expect(open(files, { captionColumn: 'tilte' })).rejects.toThrow(
      'metadata.csv: has no column "tilte" with values, only "file_name", "caption", "title", "kind". ' +
        'Set data.captionColumn. Did you mean "title"?',
    );
    await rm(join(root, 'metadata.csv'));
    const byTags = await open({}, { captionExtensions: ['TAGS'] });
    expect(await captionAt(byTags, 0)).toBe('tag');
  });

  test('of two files of one image from the first ending; the others are named', async () => {
    const files = { 'a.png': null, 'a.caption': 'second', 'a.txt': 'first' };
    const source = await open(files);
    expect(await captionAt(source, 0)).toBe('first');
    expect(unusedAdvice(source)).toEqual([
      'Not used: 1 .caption file: a.caption. Captions are read from .txt files: remove these, or the others.',
    ]);
    expect(await captionAt(await open(files, { captionExtensions: ['.caption', '.txt'] }), 0)).toBe('second');
  });

  test('from metadata rather than from files, which are named', async () => {
    const csv = 'file_name,text\na.png,of metadata\n';
    const source = await open({ 'a.png': null, 'a.txt': 'of a file', 'metadata.csv': csv });
    expect(await captionAt(source, 0)).toBe('of metadata');
    expect(unusedAdvice(source)).toEqual([
      'Not used: 1 .txt file: a.txt. Captions are read from metadata.csv, column text: remove these, or the others.',
    ]);
    await writeFile(join(root, 'metadata.csv'), 'file_name,label\na.png,cat\n');
    const both = await open({});
    expect(await captionAt(both, 0)).toBe('of a file');
    expect(unusedOf(both)).toEqual(['1 column: "label"']);
    expect(unusedAdvice(both)).toEqual([]);
  });

  test('images that share one file are named', async () => {
    const source = await open({
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
    const source = await open({ 'a.png': null, ...files }, change);
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
    const source = await open({ 'a.png': null, 'a.txt': 'one\ntwo\n' });
    expect(await captionAt(source, 0, 7)).toBe('one\ntwo');
    expect(source.isFixed).toBe(true);
  });
});

describe('what is not used', () => {
  test('images of other formats, archives, hidden images: by kind and number, with what to do', async () => {
    const source = await open({
      'a.png': null,
      'b.HEIC': '',
      'c.heic': '',
      'd.jxl': '',
      'more.zip': '',
      'README.md': '',
      LICENSE: '',
      '.e.png': null,
      '.cache/f.png': null,
      '._a.png': '',
      '.DS_Store': '',
    });
    expect(describeTold(source)).toBe('nothing: unconditional');
    expect(unusedOf(source)).toEqual([
      '2 .heic files: b.HEIC, c.heic',
      '1 .jxl file: d.jxl',
      '1 .zip file: more.zip',
      '2 hidden images: .cache/f.png, .e.png',
      '1 extensionless file: LICENSE',
      '1 .md file: README.md',
    ]);
    expect(unusedAdvice(source)).toEqual([
      'Not used: 2 .heic files: b.HEIC, c.heic. Convert it to PNG or JPEG: heif-convert FILE out.png.',
      'Not used: 1 .jxl file: d.jxl. Convert it to PNG: djxl FILE out.png.',
      'Not used: 1 .zip file: more.zip. Unpack what holds samples, and move it out of the folder.',
    ]);
  });

  test('images without the ending of one are told by their first bytes', async () => {
    const source = await open({ 'a.png': null, b: null, 'c.dat': '' });
    expect(unusedAdvice(source)).toEqual([
      'Not used: 1 extensionless file: b. By its first bytes b is a png. End such names in .png to have them read.',
    ]);
  });

  test('files in endless kinds are few kinds', async () => {
    const parts = Array.from({ length: 30 }, (_, i) => [`part.${i}`, ''] as const);
    const kinds = Array.from({ length: 30 }, (_, i) => [`x.kind${i}`, ''] as const);
    const source = await open({ 'a.png': null, ...Object.fromEntries([...parts, ...kinds]) });
    expect(unusedOf(source)[0]).toMatch(/^30 extensionless files: part\.0/);
    expect(unusedOf(source).at(-1)).toMatch(/^11 other files: /);
  });

  test('files that may hold captions or metadata, while the model is told nothing', async () => {
    const source = await open({
      'a.png': null,
      'a.cap': 'x',
      'a.json': '{}',
      'a.npy': '',
      'labels.csv': '',
      'captions.json': '',
    });
    expect(unusedAdvice(source)).toEqual([
      'Not used: 1 .cap file: a.cap. If they hold captions, set data.captionExtensions to [.cap].',
      expect.stringMatching(
        /^Not used: 2 \.json files: a\.json, captions\.json\. If they say what the images/,
      ),
      expect.stringMatching(
        /^Not used: 1 \.csv file: labels\.csv\. If they say .* metadata\.csv or metadata\.jsonl/,
      ),
    ]);
    const asMeant = await open({}, { condition: 'none' });
    expect(unusedAdvice(asMeant)).toEqual([]);
    expect(unusedOf(asMeant)).toHaveLength(4);
  });

  test('columns that look like captions or labels', async () => {
    const source = await open({
      'a.png': null,
      'metadata.csv': 'file_name,description,species,id\na.png,x,cat,7\n',
    });
    expect(unusedAdvice(source)).toEqual([
      'Not used: 1 column: "description". If it holds captions, set data.captionColumn to it.',
      'Not used: 1 column: "species". If it holds classes, set data.labelColumn to it.',
    ]);
    expect(unusedOf(source)).toContain('1 column: "id"');
  });

  test('folders below the class folders, which matter where there is one class only', async () => {
    const two = await open({ 'cat/x/a.png': null, 'cat/y/a.png': null, 'dog/a.png': null });
    expect(unusedOf(two)).toEqual(['2 nested folders: cat/x, cat/y']);
    expect(unusedAdvice(two)).toEqual([]);
    await rm(join(root, 'dog'), { recursive: true });
    expect(unusedAdvice(await open({}))).toEqual([
      'Not used: 2 nested folders: cat/x, cat/y. All images are of the one class cat: ' +
        `set data.path to ${root}/cat to make these the classes.`,
    ]);
  });
});

describe('errors name what is there and not read', () => {
  test('where captions are wanted and there are none: where they were looked for', async () => {
    await expect(open({ 'a.png': null, 'a.cap': 'x' }, { condition: 'caption' })).rejects.toThrow(
      'the images have no captions. Give each image a caption, or set data.condition to class or none. Captions were looked ' +
        'for in metadata.jsonl, .csv or .parquet with a column text, and name.txt beside name.png. Not used: 1 .cap file: a.cap.',
    );
  });

  test('a caption and a row of an image in another format', async () => {
    await expect(open({ 'a.png': null, 'a.txt': 'x', 'b.heic': '', 'b.txt': 'y' })).rejects.toThrow(
      'captions have no image: b.txt (b.heic is not read). Remove them',
    );
    await expect(open({ 'metadata.csv': 'file_name,text\na.png,x\nb.heic,y\n' })).rejects.toThrow(
      '1 of 2 rows have no image: b.heic (which is there, and not read). Correct file_name',
    );
  });

  test('fields that are divided by something else than commas', async () => {
    await expect(open({ 'a.png': null, 'metadata.csv': 'file_name;text\na.png;x\n' })).rejects.toThrow(
      'metadata.csv: has no column file_name, only file_name;text. Divide fields by commas, not by semicolons.',
    );
  });
});

test('numbers as labels get the names of classes.json', async () => {
  const source = await open({
    'a.png': null,
    'b.png': null,
    'metadata.csv': 'file_name,label\na.png,1\nb.png,0\n',
    'classes.json': '["cat", "dog"]',
  });
  expect(source).toMatchObject({ classes: 2, classNames: ['cat', 'dog'], unused: [] });
});
