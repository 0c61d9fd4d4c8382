import { expect, test } from 'vitest';
import { refuseIdentifiers } from '../../src/data/identifiers.ts';

test('labels are identifiers where they go beyond both the images and ten thousand', () => {
  const refuse = (classes: number, images: number) => () => refuseIdentifiers('set', classes, images);
  expect(refuse(10_000, 3)).not.toThrow();
  expect(refuse(10_001, 3)).toThrow('set: labels of 3 images go up to 10000. Number the classes from 0');
  expect(refuse(20_000, 20_000)).not.toThrow();
  expect(refuse(20_001, 20_000)).toThrow('labels of 20000 images go up to 20000');
});
