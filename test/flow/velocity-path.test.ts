// Which evaluations of a sampler are kept as the way of a sample.
import { describe, expect, it } from 'vitest';
import { dopri5 } from '../../src/flow/dormand-prince.ts';
import { samplers } from '../../src/flow/samplers.ts';
import { VelocityPath, asPictures, foreseenFrom } from '../../src/flow/velocity-path.ts';
import type { Values } from '../../src/flow/integrator.ts';

describe('the way of a sample', () => {
  it('by dopri5 leaves out where refused steps would have ended', async () => {
    // A velocity that jumps at t = 0.4: x falls from 1 to 1 - 0.6 * 2 = -0.2 there, and then by 40 a unit of time.
    const speed = (t: number): number => (t > 0.4 ? 2 : 40);
    const exact = (t: number): number => (t > 0.4 ? 1 - 2 * (1 - t) : -0.2 - 40 * (0.4 - t));
    const path = new VelocityPath(dopri5);
    let evaluations = 0;
    const velocity = async (x: Values, t: number | Float64Array): Promise<Values> => {
      evaluations++;
      const said = Float64Array.of(speed((t as Float64Array)[0]!));
      path.add({ x, t, velocity: said, first: 0 });
      return said;
    };
    const adaptive = { rtol: 1e-4, atol: 1e-4, maxEvaluations: 1000 };
    const end = await dopri5.integrate(velocity, Float32Array.of(1), { steps: 1, adaptive });
    const way = path.end(end as Float32Array);
    const attempts = (evaluations - 1) / 6;
    expect(way.times.length - 1).toBeLessThan(attempts);
    expect(way.times).toEqual(way.times.toSorted((a, b) => b - a));
    way.times.forEach((t, i) => expect(way.states[i]).toBeCloseTo(exact(t), 2));
    expect(way.velocities.length).toBe(way.times.length - 1);
    expect(way.velocities[0]).toBe(2);
  });

  it('has no angle where there is no velocity, and none where it goes along the line', () => {
    const path = new VelocityPath(samplers.euler);
    const [noise, sample] = [Float32Array.of(1, 1), Float32Array.of(0, 1)];
    const told = [
      [1, 0],
      [0, 2],
      [0, 0],
      [-3, 0],
    ];
    told.forEach((velocity, i) =>
      path.add({ x: noise, t: 1 - i / 4, velocity: Float32Array.from(velocity), first: 0 }),
    );
    const { angles, speeds, times } = path.end(sample);
    expect(angles).toEqual([0, 90, null, 180]);
    expect(speeds).toEqual([Math.SQRT1_2, Math.SQRT2, 0, 3 * Math.SQRT1_2].map((x) => expect.closeTo(x, 12)));
    expect(times).toEqual([1, 0.75, 0.5, 0.25, 0]);
  });
});

it('a velocity as a picture has its largest number in black or white', () => {
  expect([...asPictures(Float32Array.of(0.5, -2, 0))]).toEqual([0.25, -1, 0]);
  expect([...asPictures(new Float32Array(2))]).toEqual([0, 0]);
});

it('what is foreseen is x - t v', () => {
  expect([...foreseenFrom(Float32Array.of(1, 2), Float32Array.of(4, -4), 0.5)]).toEqual([-1, 4]);
});
