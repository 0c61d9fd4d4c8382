import { expect, test } from 'vitest';
import { splitFlips } from '../../../src/sources/latents/flips.ts';
import type { Transform } from '../../../src/sources/settings.ts';

const crop: Transform = { kind: 'center-crop', size: 8 };
const flip = (probability: number): Transform => ({ kind: 'horizontal-flip', probability });

test('without flips nothing is mirrored', () => {
  expect(splitFlips([crop], 'set')).toEqual({ plain: [crop], flip: 0 });
  expect(splitFlips([crop, flip(0)], 'set')).toEqual({ plain: [crop, flip(0)], flip: 0 });
});

test('a flip is made once in the mirrored image, where it stands', () => {
  expect(splitFlips([flip(0.3), crop], 'set')).toEqual({
    plain: [flip(0), crop],
    mirrored: [flip(1), crop],
    flip: 0.3,
  });
});

test('of two flips one is made, and both may undo each other', () => {
  const { plain, mirrored, flip: share } = splitFlips([flip(0.5), crop, flip(0.2)], 'set');
  expect(plain).toEqual([flip(0), crop, flip(0)]);
  expect(mirrored).toEqual([flip(1), crop, flip(0)]);
  expect(share).toBeCloseTo(0.5 * 0.8 + 0.5 * 0.2, 12);
});

test('crops at random are refused', () => {
  const random: Transform = { kind: 'random-resized-crop', size: 8, scale: [0.5, 1], ratio: [1, 1] };
  expect(() => splitFlips([random, flip(0.5)], 'photos')).toThrow(
    /photos: data\.transforms has random-resized-crop/,
  );
});
