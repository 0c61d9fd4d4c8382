import { describe, expect, test } from 'vitest';
import { type ImageItems, imageSource } from '../../../src/sources/images/image-source.ts';
import type { Condition } from '../../../src/sources/settings.ts';
import { plain, settingsOf } from './pictures.ts';

const KEY = { seed: 0, epoch: 0 };
const COLOURS = ['#000000', '#ffffff', '#ff0000'];

function items(more: Partial<ImageItems> = {}): ImageItems {
  return {
    count: 3,
    bytes: (index) => plain(COLOURS[index]!, 2, 2).png().toBuffer(),
    describe: (index) => `${index}.png`,
    ...more,
  };
}

function open(parts: Partial<ImageItems>, condition: Condition, classNames?: readonly string[]) {
  const settings = settingsOf(2);
  return imageSource({
    name: 'set',
    items: items(parts),
    settings,
    condition,
    ...(classNames && { classNames }),
  });
}

const label = (index: number): number => [0, 2, 1][index]!;
const caption = (index: number): string => ['black', 'white', 'red'][index]!;

test('reads several images at once, each to its place', async () => {
  const source = open({}, 'none');
  expect(source).toMatchObject({ name: 'set', count: 3, shape: [3, 2, 2] });
  const out = new Float32Array(36);
  await Promise.all([2, 0, 1].map((index) => source.read(index, out, index * 12, KEY)));
  const planes = Array.from({ length: 9 }, (_, i) => out[i * 4]);
  expect(planes).toEqual([-1, -1, -1, 1, 1, 1, 1, -1, -1]);
  expect(source.describe!(2)).toBe('2.png');
});

test('closes what it was opened with', async () => {
  let isClosed = false;
  const close = async (): Promise<void> => {
    isClosed = true;
  };
  await open({ close }, 'none').close!();
  expect(isClosed).toBe(true);
  expect(open({}, 'none').close).toBeUndefined();
});

describe('condition', () => {
  const facts = async (parts: Partial<ImageItems>, condition: Condition, classNames?: readonly string[]) => {
    const source = open(parts, condition, classNames);
    const annotation = await source.read(1, new Float32Array(12), 0, KEY);
    return { classes: source.classes, names: source.classNames, captions: source.captions, annotation };
  };
  const asCaption = { captions: true, classes: undefined, annotation: { caption: 'white' } };
  const asClass = { captions: undefined, classes: 3, annotation: { label: 2 } };
  const asNone = { captions: undefined, classes: undefined, annotation: {} };

  test('auto prefers captions, then classes, then nothing', async () => {
    expect(await facts({ label, caption }, 'auto')).toMatchObject(asCaption);
    expect(await facts({ label }, 'auto')).toMatchObject(asClass);
    expect(await facts({}, 'auto')).toMatchObject(asNone);
    const some = { label, caption, hasCaption: (index: number) => index > 0 };
    expect(await facts(some, 'auto')).toMatchObject(asClass);
  });

  test('class, caption and none take what they say', async () => {
    expect(await facts({ label, caption }, 'class', ['a', 'b', 'c', 'd'])).toMatchObject({
      ...asClass,
      classes: 4,
      names: ['a', 'b', 'c', 'd'],
    });
    expect(await facts({ label, caption }, 'caption')).toMatchObject(asCaption);
    expect(await facts({ label, caption }, 'none')).toMatchObject(asNone);
  });

  test('what is missing is named', () => {
    const advice = 'Give each image a caption, or set data.condition to class or none.';
    expect(() => open({ label }, 'caption')).toThrow(`set: the images have no captions. ${advice}`);
    const some = { caption, hasCaption: (index: number) => index === 1 };
    expect(() => open(some, 'caption')).toThrow(
      `set: 2 of 3 images have no caption: 0.png, 2.png. ${advice}`,
    );
    expect(() => open(some, 'auto')).toThrow('2 of 3 images have no caption: 0.png, 2.png');
    expect(() => open({}, 'class')).toThrow(
      'set: the images have no labels. Give each image a label, or set data.condition',
    );
    const one = { label: (index: number) => (index === 1 ? 0 : undefined) };
    expect(() => open(one, 'auto')).toThrow('2 of 3 images have no label: 0.png, 2.png');
  });

  test('of many only the first few are named', () => {
    const parts = { count: 1000, label: (index: number) => (index === 9 ? 0 : undefined) };
    expect(() => open(parts, 'class')).toThrow(
      '999 of 1000 images have no label: 0.png, 1.png, 2.png, 3.png, 4.png and 994 more',
    );
  });

  test('identifiers are no labels', () => {
    expect(() => open({ label: (index) => 20_240_101 + index }, 'class')).toThrow(
      'set: labels of 3 images go up to 20240103. Number the classes from 0 without gaps, or give them names.',
    );
    expect(open({ label: () => 999 }, 'class').classes).toBe(1000);
  });

  test('labels outside of the class names are refused', () => {
    expect(() => open({ label }, 'class', ['a', 'b'])).toThrow(
      'set: 1.png has label 2. Labels must be whole numbers in [0, 2), one per class name.',
    );
    expect(() => open({ label: () => -1 }, 'class')).toThrow(
      '0.png has label -1. Labels must be whole numbers in 0 upwards',
    );
  });
});
