import { expect, it } from 'vitest';
import { energyDistance } from '../../src/report/energy-distance.ts';
import { philoxNormal } from '../../src/tensor/philox.ts';

const normal = (stream: number, samples: number, elements: number): Float32Array =>
  Float32Array.from(philoxNormal({ seed: 1, stream, step: 0, firstSample: 0, samples, elements }));

it('is twice the distance of points less the distances within the sets', () => {
  expect(energyDistance(Float32Array.of(0, 0), Float32Array.of(3, 4), 2)).toBeCloseTo(2 * Math.sqrt(12.5), 6);
  expect(energyDistance(Float32Array.of(0, 2), Float32Array.of(1), 1)).toBeCloseTo(2 - 1, 6);
});

it('is 0 for the same, small for two sets of one distribution, and grows as they part', () => {
  const [a, b] = [normal(1, 200, 3), normal(2, 200, 3)];
  expect(energyDistance(a, a, 3)).toBe(0);
  const same = energyDistance(a, b, 3);
  const shifted = energyDistance(
    a,
    b.map((value) => value + 1),
    3,
  );
  const narrow = energyDistance(
    a,
    b.map((value) => value / 3),
    3,
  );
  expect(same).toBeLessThan(0.02);
  expect(narrow).toBeGreaterThan(5 * same);
  expect(shifted).toBeGreaterThan(narrow);
});
