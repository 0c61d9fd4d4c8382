// What lies in a folder of images and is not used.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeTold, unusedAdvice } from '../../../src/data/told.ts';
import { testFolder, unusedIn } from './test-folder.ts';

const folder = testFolder();

describe('what is not used', () => {
  test('images of other formats, archives, hidden images: by kind and number, with what to do', async () => {
    const source = await folder.open({
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
    expect(unusedIn(source)).toEqual([
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
    const source = await folder.open({ 'a.png': null, b: null, 'c.dat': '' });
    expect(unusedAdvice(source)).toEqual([
      'Not used: 1 extensionless file: b. By its first bytes b is a png. End such names in .png to have them read.',
    ]);
  });

  test('texts that are named as captions are, but as no image, come with how they are named', async () => {
    const hint = 'If they hold captions, name each as its image and put it beside it: a.txt beside a.png.';
    const texts = { 'a_caption.txt': 'a', 'b.png.txt': 'b' };
    const source = await folder.open({ 'a.png': null, 'b.png': null, ...texts });
    expect(unusedAdvice(source)).toEqual([`Not used: 2 .txt files: a_caption.txt, b.png.txt. ${hint}`]);
  });

  test('a text beside several images is no caption', async () => {
    const source = await folder.open({ 'a.png': null, 'b.png': null, 'license.txt': '' });
    expect(unusedAdvice(source)).toEqual([]);
  });

  test('folders that systems keep beside images are neither classes nor read', async () => {
    const source = await folder.open({
      'x/a.png': null,
      'x/@eaDir/a.png/THUMB.jpg': null,
      'y/b.png': null,
      '__MACOSX/x/._a.png': '',
    });
    expect(source.count).toBe(2);
    expect(source.classNames).toEqual(['x', 'y']);
  });

  test('a folder of captions beside one of images is not to be removed', async () => {
    const texts = { 'images/a.png': null, 'captions/a.txt': 'a' };
    await expect(folder.open(texts)).rejects.toThrow(/move what they hold .* as 0\.txt beside 0\.png/);
  });

  test('files in endless kinds are few kinds', async () => {
    const parts = Array.from({ length: 30 }, (_, i) => [`part.${i}`, ''] as const);
    const kinds = Array.from({ length: 30 }, (_, i) => [`x.kind${i}`, ''] as const);
    const source = await folder.open({
      'a.png': null,
      'y.kind0': '',
      ...Object.fromEntries([...parts, ...kinds]),
    });
    expect(unusedIn(source)[0]).toMatch(/^30 extensionless files: part\.0/);
    expect(unusedIn(source)).toContain('2 .kind0 files: x.kind0, y.kind0');
    expect(unusedIn(source).at(-1)).toMatch(/^11 other files: /);
  });

  test('files that may hold captions or metadata, while the model is told nothing', async () => {
    const source = await folder.open({
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
    const asMeant = await folder.open({}, { condition: 'none' });
    expect(unusedAdvice(asMeant)).toEqual([]);
    expect(unusedIn(asMeant)).toHaveLength(4);
  });

  test('columns that look like captions or labels', async () => {
    const source = await folder.open({
      'a.png': null,
      'metadata.csv': 'file_name,description,species,id\na.png,x,cat,7\n',
    });
    expect(unusedAdvice(source)).toEqual([
      'Not used: 1 column: "description". If it holds captions, set data.captionColumn to it.',
      'Not used: 1 column: "species". If it holds classes, set data.labelColumn to it.',
    ]);
    expect(unusedIn(source)).toContain('1 column: "id"');
  });

  test('folders that would be classes, where something else is told', async () => {
    const metadata = 'file_name,label\ncat/a.png,tom\ndog/a.png,rex\n';
    const source = await folder.open({ 'cat/a.png': null, 'dog/a.png': null, 'metadata.csv': metadata });
    expect(describeTold(source)).toBe('labels (2 classes, metadata.csv, column label)');
    expect(unusedIn(source)).toEqual(['2 folder names: cat, dog']);
    expect(unusedAdvice(source)).toEqual([]);
  });

  test('folders below the class folders, which matter where there is one class only', async () => {
    const two = await folder.open({ 'cat/x/a.png': null, 'cat/y/a.png': null, 'dog/a.png': null });
    expect(unusedIn(two)).toEqual(['2 nested folders: cat/x, cat/y']);
    expect(unusedAdvice(two)).toEqual([]);
    await rm(join(folder.root, 'dog'), { recursive: true });
    expect(unusedAdvice(await folder.open({}))).toEqual([
      'Not used: 2 nested folders: cat/x, cat/y. All images are of the one class cat: ' +
        `set data.path to ${folder.root}/cat to make these the classes.`,
    ]);
  });
});

describe('errors name what is there and not read', () => {
  test('where captions are wanted and there are none: where they were looked for', async () => {
    await expect(folder.open({ 'a.png': null, 'a.cap': 'x' }, { condition: 'caption' })).rejects.toThrow(
      'the images have no captions. Give each image a caption, or set data.condition to class or none. Captions were looked ' +
        'for in metadata.jsonl, .csv or .parquet with a column text, and name.txt beside name.png. Not used: 1 .cap file: a.cap.',
    );
  });

  test('a caption and a row of an image in another format', async () => {
    await expect(folder.open({ 'a.png': null, 'a.txt': 'x', 'b.heic': '', 'b.txt': 'y' })).rejects.toThrow(
      'captions have no image: b.txt (b.heic is not read). Remove them',
    );
    await expect(folder.open({ 'metadata.csv': 'file_name,text\na.png,x\nb.heic,y\n' })).rejects.toThrow(
      '1 of 2 rows have no image: b.heic (which is there, and not read). Correct file_name',
    );
  });

  test('fields that are divided by something else than commas', async () => {
    await expect(folder.open({ 'a.png': null, 'metadata.csv': 'file_name;text\na.png;x\n' })).rejects.toThrow(
      'metadata.csv: has no column file_name, only file_name;text. Divide fields by commas, not by semicolons.',
    );
  });
});
