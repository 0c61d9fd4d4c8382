import { expect, it } from 'vitest';
import { StraightnessSum } from '../../src/flow/straightness.ts';

/** Where points are at the ends of equal steps from t = 1 down to 0. */
function along(steps: number, place: (t: number) => readonly number[]): Float64Array[] {
  return Array.from({ length: steps + 1 }, (_, i) => Float64Array.from(place(1 - i / steps)));
}

it('is 0 for straight paths, whose speed does not change', () => {
  const sum = new StraightnessSum(10, 2);
  sum.add(
    along(10, (t) => [3 + 2 * t, -1 - 5 * t, 7, 4 * t]),
    2,
  );
  expect(sum.result().deviation).toBeCloseTo(0, 12);
  expect(sum.result().byTime.map(({ t }) => t)).toEqual(
    [0.95, 0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.25, 0.15, 0.05].map((t) => expect.closeTo(t, 12)),
  );
});

it('is the integral of the squared distance of the speed from its mean, in numbers and in proportion', () => {
  // x = t^2 goes at 2 t, on average at 1: the integral of (1 - 2 t)^2 is 1/3, and the way is 1 long.
  const sum = new StraightnessSum(1000, 2);
  sum.add(
    along(1000, (t) => [3 * t ** 2, 0]),
    1,
  );
  const { deviation, relative, byTime } = sum.result();
  expect(deviation).toBeCloseTo(9 / 3 / 2, 4);
  expect(relative).toBeCloseTo(1 / 3, 5);
  expect(byTime[0]!.relative).toBeCloseTo(1, 2);
  expect(byTime[499]!.relative).toBeCloseTo(0, 4);
});

it('grows with a detour, though its speed along the line be even', () => {
  const sum = new StraightnessSum(1000, 2);
  sum.add(
    along(1000, (t) => [t, Math.sin(Math.PI * t)]),
    1,
  );
  // The integral of (pi cos(pi t))^2.
  expect(sum.result().deviation).toBeCloseTo(Math.PI ** 2 / 2 / 2, 3);
});

it('is the mean over all samples that count, however they are added', () => {
  const path = along(20, (t) => [t ** 2, 5 * t ** 3, Math.exp(t), 1e9 * t ** 4]);
  const [once, twice] = [new StraightnessSum(20, 1), new StraightnessSum(20, 1)];
  once.add(path, 3);
  twice.add(
    path.map((x) => x.slice(0, 1)),
    1,
  );
  twice.add(
    path.map((x) => x.slice(1, 4)),
    2,
  );
  expect(twice.result().deviation).toBeCloseTo(once.result().deviation, 12);
  expect(once.result().deviation).toBeLessThan(100);
});
