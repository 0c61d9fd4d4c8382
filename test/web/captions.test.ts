// The captions of pictures that a visitor gives, by the files beside them and by what they are called.
import { describe, expect, it } from 'vitest';
import { type CaptionFile, captionsIn, holdsCaptions, stemOf } from '../../web/share/train/caption-files.ts';
import {
  type CaptionChoice,
  captionsAtFirst,
  captionsOf,
  describeCaptions,
  lostCaptions,
  usedFiles,
  wordsOf,
} from '../../web/share/train/captions.ts';
import { captionOfDrawn, drawPicture } from '../../web/share/train/draw-picture.ts';
import { byteTokenizer } from '../../src/tokenizers/bytes.ts';

const file = (path: string, text: string): CaptionFile => captionsIn(new TextEncoder().encode(text), path);
const picture = (path: string): { path: string; folder: string } => ({
  path,
  folder: path.split('/').at(-2) ?? '',
});
const told = (
  paths: readonly string[],
  files: readonly CaptionFile[],
  choice: CaptionChoice = captionsAtFirst,
) => captionsOf(paths.map(picture), files, choice).map((each) => each && [each.from, each.captions]);

describe('files of captions', () => {
  it('are known by their names', () => {
    const names = ['a/1.txt', '1.TXT', '1.caption', 'a/metadata.jsonl', '1.jsonl', 'txt', '1.txt.png'];
    expect(names.filter(holdsCaptions)).toEqual(['a/1.txt', '1.TXT', '1.caption', 'a/metadata.jsonl']);
    expect(['a.b/1', 'a/1.tar.gz', '.txt', 'a/.txt'].map(stemOf)).toEqual([
      'a.b/1',
      'a/1.tar',
      '.txt',
      'a/.txt',
    ]);
  });

  it('go with the picture of their name, metadata before text, .txt before .caption', () => {
    const files = [
      file('a/1.txt', '\uFEFF a fox \n'),
      file('a/1.caption', 'second'),
      file('a/2.caption', 'an owl'),
      file(
        'a/metadata.jsonl',
        '{"file_name": "./b/3.png", "caption": "a hen"}\n\n{"file_name": "2.png", "text": ["x", " "]}',
      ),
      file('metadata.jsonl', '{"file_name": "a/../a/4.png", "text": null, "prompt": ["one", "two"]}'),
    ];
    expect(told(['a/1.png', 'a/2.png', 'a/b/3.png', 'a/4.png', 'b/1.png'], files)).toEqual([
      ['text', 'a fox'],
      ['metadata', 'x'],
      ['metadata', 'a hen'],
      ['metadata', ['one', 'two']],
      undefined,
    ]);
    expect(told(['a/2.png'], files.slice(0, 3))).toEqual([['text', 'an owl']]);
  });

  it('are refused where they hold none', () => {
    expect(() => file('1.txt', ' \n')).toThrow('holds no caption');
    expect(() => captionsIn(Uint8Array.of(0x66, 0xfc), 'a/1.txt')).toThrow(
      /^is no text in UTF-8. Save it as UTF-8.$/,
    );
    expect(() => captionsIn(Uint8Array.of(0xff, 0xfe, 0x66, 0), '1.txt')).toThrow(
      /^is text in UTF-16, not in UTF-8/,
    );
    const rows = (text: string) => () => file('metadata.jsonl', text);
    expect(rows('{"file_name": "1.png"}')).toThrow('holds no captions');
    expect(rows('\n{"text": "a fox"}')).toThrow('line 2: has no file_name');
    expect(rows('fox')).toThrow('line 1: is no object of JSON');
    expect(rows('[]')).toThrow('line 1: is no object of JSON');
    expect(rows('{"file_name": "1.png", "text": 5}')).toThrow('line 1: text is no text');
  });

  it('are named where no picture goes with them', () => {
    const rows = Array.from({ length: 7 }, (_, i) => `{"file_name": "${i}.png", "text": "fox"}`).join('\n');
    const files = [file('a/1.txt', 'fox'), file('a/2.txt', 'fox'), file('metadata.jsonl', rows)];
    expect(usedFiles(files, ['a/1.png', '0.png']).map(({ path }) => path)).toEqual([
      'a/1.txt',
      'metadata.jsonl',
    ]);
    expect(lostCaptions(files, ['a/1.png', '0.png'])).toEqual([
      { path: 'a/2.txt', reason: 'is text, and no picture beside it has its name' },
      {
        path: 'metadata.jsonl',
        reason: 'has 6 of 7 captions of pictures that are not there: 1.png, 2.png, 3.png, 4.png, 5.png, ...',
      },
    ]);
  });
});

describe('pictures without a caption', () => {
  it('are called as their file, as their folder, or as is said of it', () => {
    const paths = ['big_cats/red-fox_02.png', 'big_cats/0001.png', '7.png'];
    expect(told(paths, [])).toEqual([['file', 'red fox'], undefined, undefined]);
    expect(told(paths, [], { naming: 'folder', ofFolders: [] })).toEqual([
      ['folder', 'big cats'],
      ['folder', 'big cats'],
      undefined,
    ]);
    expect(told(paths, [], { naming: 'none', ofFolders: [['', ' a seven ']] })).toEqual([
      undefined,
      undefined,
      ['folders', 'a seven'],
    ]);
    expect(told(paths, [], { naming: 'file', ofFolders: [['big_cats', 'a beast']] })[0]).toEqual([
      'folders',
      'a beast',
    ]);
  });

  it('have names in words of any script, without the numbers that count them', () => {
    const names = ['red-fox_02', 'IMG_1234', '狐 (3)', "a dog's life", 'été', '__', 'mp3 player', '12-34'];
    expect(names.map(wordsOf)).toEqual(['red fox', 'IMG', '狐', "a dog's life", 'été', '', 'mp3 player', '']);
  });

  it('have one of their own where they are drawn', () => {
    const form = { size: [16, 16], channels: 3 } as const;
    const captions = new Set(Array.from({ length: 200 }, (_, i) => captionOfDrawn('discs', i, form)));
    expect([...captions].toSorted()).toEqual(
      ['blue', 'cyan', 'green', 'pink', 'red', 'yellow'].map((colour) => `a ${colour} disc`),
    );
    const sums = (pixels: Uint8Array): number[] =>
      [0, 1, 2].map((channel) =>
        pixels.subarray(256 * channel, 256 * (channel + 1)).reduce((sum, value) => sum + value, 0),
      );
    for (let i = 0; i < 40; i++) {
      const [red, green, blue] = sums(drawPicture('discs', i, form)) as [number, number, number];
      const highest = Math.max(red, green, blue);
      const caption = captionOfDrawn('discs', i, form);
      const may = [
        [red, ['red', 'pink', 'yellow']],
        [green, ['green', 'cyan', 'yellow']],
        [blue, ['blue', 'cyan', 'pink']],
      ] as const;
      const names = may.find(([sum]) => sum === highest)![1];
      expect(names.map((name) => `a ${name} disc`)).toContain(caption);
    }
    expect(captionOfDrawn('squares', 1, { ...form, channels: 1 })).toBe('a square');
    const drawn = { path: 'discs/1', folder: 'discs', own: 'a red disc' };
    expect(captionsOf([drawn], [], captionsAtFirst)).toEqual([{ captions: 'a red disc', from: 'own' }]);
  });
});

describe('what is told of captions', () => {
  it('is where they are from, how many are cut, and which pictures have none', () => {
    const pictures = ['a/1.png', 'a/2.png', 'a/fox.png', 'a/4.png'].map(picture);
    const files = [file('a/1.txt', 'more than eight'), file('a/2.txt', 'seven..')];
    const tokenizer = byteTokenizer(8);
    const meter = { length: 8, measure: (text: string) => ({ tokens: tokenizer.encode(text).whole }) };
    const found = captionsOf(pictures, files, captionsAtFirst);
    expect(describeCaptions(pictures, found, meter)).toEqual({
      count: 3,
      from: [
        { origin: 'text', count: 2, example: 'more than eight' },
        { origin: 'file', count: 1, example: 'fox' },
      ],
      without: ['a/4.png'],
      cut: 1,
      length: 8,
    });
  });
});
