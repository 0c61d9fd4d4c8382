import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openFolder } from '../../../src/sources/images/folder.ts';
import type { Condition } from '../../../src/sources/settings.ts';
import type { Source } from '../../../src/data/source.ts';
import { RectiflowError } from '../../../src/tensor/errors.ts';
import { plain, settingsOf } from './pictures.ts';

let root: string;
const picture = await plain('#336699', 4, 4).png().toBuffer();

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'rectiflow-folder-'));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

/** Writes files; null is a picture. */
async function fill(files: Record<string, string | Uint8Array | null>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), content ?? picture);
  }
}

const open = (condition: Condition = 'auto', path = root): Promise<Source> =>
  openFolder({ source: 'folder', path, condition, ...settingsOf(4) });

async function annotations(source: Source): Promise<unknown[]> {
  const size = 3 * 4 * 4;
  const out = new Float32Array(source.count * size);
  const key = { seed: 0, epoch: 0 };
  return Promise.all(
    Array.from({ length: source.count }, (_, index) => source.read(index, out, index * size, key)),
  );
}

async function problem(opening: Promise<unknown>): Promise<string> {
  const error = await opening.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(RectiflowError);
  const { message } = error as RectiflowError;
  expect(message.startsWith(root)).toBe(true);
  return message.slice(root.length);
}

describe('classes', () => {
  test('are the folders below, by name; files may lie deeper; hidden and other files do not count', async () => {
    await fill({
      'dog/b.png': null,
      'cat/x/y/a.PNG': null,
      'cat/.hidden.png': null,
      'cat/notes.txt': 'hello',
    });
    await fill({ '.cache/c.png': null, LICENSE: '' });
    const source = await open();
    expect(source).toMatchObject({
      name: root,
      count: 2,
      classes: 2,
      classNames: ['cat', 'dog'],
      shape: [3, 4, 4],
    });
    expect(await annotations(source)).toEqual([{ label: 0 }, { label: 1 }]);
    expect(source.describe!(0)).toBe(join(root, 'cat/x/y/a.PNG'));
  });

  test('there are none in a flat folder', async () => {
    await fill({ 'b.png': null, 'a.png': null, 'readme.txt': 'of nothing', 'notes/x.md': '' });
    const source = await open();
    expect(source.classes).toBeUndefined();
    expect(await annotations(source)).toEqual([{}, {}]);
    expect(source.describe!(0)).toBe(join(root, 'a.png'));
    expect(await problem(open('class'))).toContain('the images have no labels');
  });

  test('an empty class folder is named', async () => {
    await fill({ 'cat/a.png': null, 'dog/readme.md': '' });
    expect(await problem(open())).toBe(
      ': 1 of 2 class folders hold no images: dog. Put images into them, or remove them.',
    );
    expect((await open('none')).count).toBe(1);
  });

  test('images beside the class folders are named', async () => {
    await fill({ 'cat/a.png': null, 'stray.png': null });
    expect(await problem(open())).toContain('images lie beside the class folders: stray.png. Move them');
    expect((await open('none')).count).toBe(2);
  });

  test('folders of splits are no classes', async () => {
    await fill({ 'train/cat/a.png': null, 'test/cat/a.png': null });
    expect(await problem(open())).toContain(
      `splits, not classes: test, train. Set data.path to one of them, such as ${root}/train`,
    );
    expect((await open('auto', join(root, 'train'))).classNames).toEqual(['cat']);
  });
});

describe('metadata', () => {
  const rows =
    '{"file_name": "b.png", "text": " a dog "}\n\n{"file_name": "./x/a.png", "text": "a cat\\nasleep"}\n';

  test('JSON lines give captions', async () => {
    await fill({ 'b.png': null, 'x/a.png': null, 'metadata.jsonl': rows });
    const source = await open();
    expect(source).toMatchObject({ captions: true, count: 2 });
    expect(await annotations(source)).toEqual([{ caption: 'a dog' }, { caption: 'a cat\nasleep' }]);
  });

  test('CSV gives captions and labels, names or whole numbers', async () => {
    const csv = 'file_name,label,caption\nb.png,dog,"a dog, ""Rex"",\nawake"\nx/a.png,cat,a cat\n';
    await fill({ 'b.png': null, 'x/a.png': null, 'metadata.csv': csv });
    expect(await annotations(await open())).toEqual([
      { caption: 'a dog, "Rex",\nawake' },
      { caption: 'a cat' },
    ]);
    const byName = await open('class');
    expect(byName.classNames).toEqual(['cat', 'dog']);
    expect(await annotations(byName)).toEqual([{ label: 1 }, { label: 0 }]);
    await fill({ 'metadata.csv': 'label,file_name\n3,b.png\n0,x/a.png\n' });
    const byNumber = await open();
    expect(byNumber).toMatchObject({ classes: 4 });
    expect(byNumber.classNames).toBeUndefined();
    expect(await annotations(byNumber)).toEqual([{ label: 3 }, { label: 0 }]);
  });

  test('without labels leaves them to the folders', async () => {
    await fill({ 'cat/a.png': null, 'dog/a.png': null });
    await fill({ 'metadata.csv': 'file_name,text\ncat/a.png,one\ndog/a.png,two' });
    expect((await open('class')).classNames).toEqual(['cat', 'dog']);
    expect((await open()).captions).toBe(true);
  });

  test('a caption or a label that is missing is named', async () => {
    await fill({
      'a.png': null,
      'b.png': null,
      'metadata.csv': 'file_name,text,label\na.png,,cat\nb.png,two,\n',
    });
    expect(await problem(open())).toContain('1 of 2 images have no caption: ' + join(root, 'a.png'));
    expect(await problem(open('class'))).toContain('1 of 2 images have no label: ' + join(root, 'b.png'));
  });

  test('rows without image and images without row are named', async () => {
    await fill({
      'a.png': null,
      'b.png': null,
      'metadata.csv': 'file_name,text\na.png,x\nb.png,x\nc.png,x\n',
    });
    expect(await problem(open())).toBe(
      '/metadata.csv: 1 of 3 rows have no image: c.png. Correct file_name, or remove the rows.',
    );
    await fill({ 'metadata.csv': 'file_name,text\na.png,x\n' });
    expect(await problem(open())).toContain('/metadata.csv: 1 of 2 images have no row: b.png');
  });

  test('an absolute path within the folder is what it says', async () => {
    const lines = ['a.png', 'x/b.png'].map((file) =>
      JSON.stringify({ file_name: join(root, file), text: file }),
    );
    await fill({ 'a.png': null, 'x/b.png': null, 'metadata.jsonl': lines.join('\n') });
    expect(await annotations(await open())).toEqual([{ caption: 'a.png' }, { caption: 'x/b.png' }]);
  });

  test.each(['../a.png', '/etc/a.png', 'x/../../a.png', '..\\a.png', 'C:\\a.png'])(
    'the path %s leads out',
    async (file) => {
      await fill({ 'a.png': null, 'metadata.jsonl': JSON.stringify({ file_name: file, text: 'x' }) });
      expect(await problem(open())).toContain(
        `/metadata.jsonl: line 1: file_name ${file} leads out of the folder`,
      );
    },
  );

  test.each([
    [
      'metadata.jsonl',
      '{"file_name": "a.png"}\n{"file_name": "./a.png"}',
      'line 2: a.png comes a second time',
    ],
    ['metadata.jsonl', '{"file_name": "a.png"', 'line 1: is no JSON'],
    ['metadata.jsonl', '["a.png"]', 'line 1: is no object'],
    ['metadata.jsonl', '{"text": "a"}', 'line 1: has no file_name'],
    ['metadata.jsonl', '{"file_name": "a.png", "text": 3}', 'line 1: text is 3. Captions must be text'],
    [
      'metadata.jsonl',
      '{"file_name": "a.png", "label": 1.5}',
      'line 1: label is 1.5. Labels must be names, or whole',
    ],
    ['metadata.jsonl', '\n', 'has no rows'],
    ['metadata.csv', 'file,text\na.png,x', 'has no column file_name, only file, text'],
    ['metadata.csv', 'file_name,text\na.png,x,y', 'line 2: has 3 fields, the first line 2'],
    ['metadata.csv', 'file_name,text\na.png,"x', 'line 2: a quote is not closed'],
  ])('%s: %j', async (name, content, wanted) => {
    await fill({ 'a.png': null, [name]: content });
    expect(await problem(open())).toContain(`/${name}: ${wanted}`);
  });

  test.each([
    ['metadata.csv', 'file_name,text\na.png,caf\xe9\n', ': is no text in UTF-8 (line 2). Save it as UTF-8.'],
    [
      'metadata.jsonl',
      '{"file_name": "a.png"}\n{"file_name": "caf\xe9"}\n',
      ': line 2: is no text in UTF-8.',
    ],
  ])('%s in Latin-1 is refused', async (name, content, wanted) => {
    await fill({ 'a.png': null, [name]: Buffer.from(content, 'latin1') });
    expect(await problem(open())).toContain(`/${name}${wanted}`);
  });

  test.each([
    ['metadata.csv', '\uFEFFfile_name,text\r\na.png,a cat\r\n\r\n'],
    ['metadata.jsonl', '\uFEFF{"file_name": "a.png", "text": "a cat"}\r\n\r\n'],
  ])('%s may begin with a byte order mark and have the line ends of Windows', async (name, content) => {
    await fill({ 'a.png': null, [name]: content });
    expect(await annotations(await open())).toEqual([{ caption: 'a cat' }]);
  });

  test('two files of it are one too many', async () => {
    await fill({ 'a.png': null, 'metadata.csv': '', 'metadata.jsonl': '' });
    expect(await problem(open())).toContain('there are both metadata.csv and metadata.jsonl');
  });
});

describe('name.txt beside name.png', () => {
  test('gives captions, trimmed', async () => {
    await fill({ 'a.b.png': null, 'a.b.txt': 'ein Hühnchen\n', 'x/c.png': null, 'x/c.txt': ' two ' });
    const source = await open();
    expect(await annotations(source)).toEqual([{ caption: 'ein Hühnchen' }, { caption: 'two' }]);
    expect((await open('none')).captions).toBeUndefined();
  });

  test('images without caption and captions without image are named', async () => {
    await fill({ 'a.png': null, 'a.txt': 'x', 'b.png': null });
    expect(await problem(open())).toContain('1 of 2 images have no caption: ' + join(root, 'b.png'));
    await fill({ 'b.txt': 'x', 'c.txt': 'x', 'd/e.txt': 'x' });
    expect(await problem(open())).toContain(
      'captions have no image: c.txt, d/e.txt. Remove them, or name each',
    );
  });

  test('an empty one and one that is no UTF-8 are named when they are read', async () => {
    await fill({ 'a.png': null, 'a.txt': ' \n' });
    expect(await problem(open().then(annotations))).toContain('/a.txt: holds no caption');
    await fill({ 'a.txt': Uint8Array.of(0xff, 0x41) });
    expect(await problem(open().then(annotations))).toBe('/a.txt: is no text in UTF-8. Save it as UTF-8.');
    await fill({ 'a.txt': Buffer.from('\uFEFFa cat', 'utf16le') });
    expect(await problem(open().then(annotations))).toContain('/a.txt: is text in UTF-16, not in UTF-8.');
  });
});

describe('a folder that cannot be used', () => {
  test('is missing, a file, or empty', async () => {
    expect(await problem(open('auto', join(root, 'none')))).toBe(
      '/none: no such file or folder. Set data.path to a folder of images.',
    );
    await fill({ 'a.png': null, 'b/.keep': '' });
    expect(await problem(open('auto', join(root, 'a.png')))).toContain('/a.png: is a file, not a folder');
    expect(await problem(open('auto', join(root, 'b')))).toContain('/b: is empty. Put images into it: .jpg');
  });

  test('has other files than images: they are counted', async () => {
    await fill({ 'a.dat': '', 'b.dat': '', 'x/c': '' });
    expect(await problem(open())).toContain(
      'holds no images, only 1 folder and other files: 2 .dat, 1 without extension. Put images into it',
    );
  });

  test('has images of another format: how to convert them', async () => {
    await fill({ 'a.heic': '' });
    expect(await problem(open())).toBe(
      ': holds no images, only other files: 1 .heic. Convert it to PNG or JPEG: heif-convert FILE out.png.',
    );
  });

  test('has links: those to files and folders are followed, others named', async () => {
    await fill({ 'cat/a.png': null });
    await symlink(join(root, 'cat/a.png'), join(root, 'cat/b.png'));
    await symlink(join(root, 'cat'), join(root, 'dog'));
    expect(await open()).toMatchObject({ count: 4, classNames: ['cat', 'dog'] });
    await symlink(root, join(root, 'cat/loop'));
    expect(await problem(open())).toContain('/cat/loop: is a link back to');
    await rm(join(root, 'cat/loop'));
    await symlink(join(root, 'nowhere'), join(root, 'cat/c.png'));
    expect(await problem(open())).toContain(
      '/cat/c.png: is a link that leads nowhere: no such file or folder',
    );
  });

  test('has an image whose name is no UTF-8', async () => {
    await writeFile(
      Buffer.concat([Buffer.from(`${root}/caf`), Buffer.of(0xe9), Buffer.from('.png')]),
      picture,
    );
    expect(await problem(annotations(await open()))).toMatch(/Its name is no text in UTF-8: rename it\.$/);
  });

  test('has a file that is larger than any image: it is not read', async () => {
    await fill({ 'a.png': null, 'b.png': '' });
    // A hole: it takes no room on the disk.
    await truncate(join(root, 'b.png'), 2 ** 30 + 1);
    expect(await problem(annotations(await open()))).toMatch(
      /^\/b\.png: has 1073741825 bytes, more than the 1073741824 that such a file may have\./,
    );
  });

  test('has an image that is damaged, or that is gone once it is read', async () => {
    await fill({ 'a.png': '' });
    const source = await open();
    expect(await problem(annotations(source))).toBe(
      '/a.png: is empty (0 bytes). Fetch it again, or remove it.',
    );
    await rm(join(root, 'a.png'));
    expect(await problem(annotations(source))).toContain('/a.png: no such file or folder');
  });
});
