import { expect, test } from 'vitest';
import { type ValueRange, describeRange } from '../../src/data/value-range.ts';

const pictures = (range: Partial<ValueRange>): string | undefined =>
  describeRange(
    { least: 0, most: 1, mean: 0, deviation: 0.3, arePictures: true, areBytes: false, ...range },
    'the first batch',
  );

test('pictures that are never dark are of another range, unless they are of bytes or of one shade', () => {
  expect(pictures({})).toContain('The data are not in [-1, 1]: the first batch holds values from 0 to 1');
  expect(pictures({ areBytes: true })).toBeUndefined();
  expect(pictures({ least: 0.5, most: 0.5, deviation: 0 })).toBeUndefined();
  expect(pictures({ least: -0.1 })).toBeUndefined();
  expect(pictures({ most: 1.02, areBytes: true })).toContain('2 x / 255 - 1');
});
