import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { normalQuantile } from '../../src/flow/normal-quantile.ts';
import { type TimeDistribution, modeScales, sampleTimes, uShapes } from '../../src/flow/time-sampling.ts';
import { shiftTime } from '../../src/flow/time-shift.ts';
import { trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { float32Backends } from '../support/backends.ts';

const count = 4000;
const backends = float32Backends().filter(({ skip }) => skip === undefined);

async function draw(
  distribution: TimeDistribution,
  { step = 1, first = 0, batch = count, backend = referenceBackend() } = {},
): Promise<HostArray> {
  const key = { seed: 3, stream: 1, firstSample: first };
  const program = trace('times', (graph) => ({
    t: sampleTimes(distribution, graph.input('step', [], 'int32'), batch, key, count),
  }));
  const executable = await backend.compile(program, new Map());
  await executable.run({ step: Int32Array.of(step) });
  return (await executable.read(['t'])).t;
}

function moments(values: number[]): { mean: number; std: number } {
  const mean = values.reduce((a, b) => a + b) / values.length;
  return { mean, std: Math.sqrt(values.reduce((total, x) => total + (x - mean) ** 2, 0) / values.length) };
}

type Density = (t: number) => number;

const logitNormal =
  (mean: number, std: number): Density =>
  (t) =>
    Math.exp(-((Math.log(t / (1 - t)) - mean) ** 2) / (2 * std ** 2)) /
    (std * Math.sqrt(2 * Math.PI) * t * (1 - t));

/** 1 / |f'(u)| where f(u) = t, by bisection: the paper gives f alone. */
const mode =
  (scale: number): Density =>
  (t) => {
    const f = (u: number): number => 1 - u - scale * (Math.cos((Math.PI / 2) * u) ** 2 - 1 + u);
    let [low, high] = [0, 1];
    while (high - low > 1e-12) {
      const middle = (low + high) / 2;
      if (f(middle) > t) low = middle;
      else high = middle;
    }
    return 1 / Math.abs(1 + scale - (scale * Math.PI * Math.sin(Math.PI * low)) / 2);
  };

const cosmap: Density = (t) => 2 / (Math.PI - 2 * Math.PI * t + 2 * Math.PI * t ** 2);

/** Of t where t is `shiftTime(s)` and s has this density. */
function shifted(density: Density, shift: number): Density {
  return (t) => (density(shiftTime(t, 1 / shift)) * shift) / (shift - (shift - 1) * t) ** 2;
}

const uShape =
  (a: number): Density =>
  (t) =>
    (Math.exp(a * t) + Math.exp(a * (1 - t))) / ((2 * (Math.exp(a) - 1)) / a);

const bins = 20;

/** The probability of each of equal parts of (0, 1), by the midpoint rule. */
function probabilities(density: Density): number[] {
  const points = 400;
  return Array.from({ length: bins }, (_, bin) => {
    const at = Array.from({ length: points }, (_point, i) => (bin + (i + 0.5) / points) / bins);
    return at.reduce((total, t) => total + density(t), 0) / (points * bins);
  });
}

function histogram(times: Iterable<number>): number[] {
  const counts = Array.from({ length: bins }, () => 0);
  for (const t of times) counts[Math.min(bins - 1, Math.floor(t * bins))]!++;
  return counts;
}

const kinds: [TimeDistribution, Density][] = [
  [{ kind: 'uniform' }, () => 1],
  [{ kind: 'logit-normal', mean: 0.5, std: 0.8 }, logitNormal(0.5, 0.8)],
  [{ kind: 'mode', scale: 1.29 }, mode(1.29)],
  [{ kind: 'mode', scale: -0.8 }, mode(-0.8)],
  [{ kind: 'cosmap' }, cosmap],
  [{ kind: 'u-shaped', a: 4 }, uShape(4)],
  [{ kind: 'u-shaped', a: 0.5 }, uShape(0.5)],
];

describe.each(kinds)('times of %j', (distribution, density) => {
  it.each([1, 3, 0.4])('have its density, shifted by %d', async (shift) => {
    const counts = histogram(await draw({ ...distribution, shift }));
    const wanted = probabilities(shifted(density, shift)).map((probability) => probability * count);
    expect(wanted.reduce((a, b) => a + b) / count).toBeCloseTo(1, 2);
    const chi2 = counts.reduce((total, seen, bin) => total + (seen - wanted[bin]!) ** 2 / wanted[bin]!, 0);
    // Of 19 degrees of freedom: above 44 one time in a thousand.
    expect(chi2).toBeLessThan(44);
  });

  it('have it more exactly where they are stratified', async () => {
    const counts = histogram(await draw({ ...distribution, stratified: true }));
    const wanted = probabilities(density).map((probability) => probability * count);
    for (const [bin, seen] of counts.entries()) expect(Math.abs(seen - wanted[bin]!)).toBeLessThan(2.5);
  });

  it('grow with the sample where they are stratified, and differ from step to step', async () => {
    const stratified = { ...distribution, stratified: true };
    const t = await draw(stratified);
    expect(t.every((time, i) => i === 0 || time >= t[i - 1]!)).toBe(true);
    expect(await draw(stratified, { step: 2 })).not.toEqual(t);
  });

  it.each([false, true])('are those of the index in the global batch, stratified: %j', async (stratified) => {
    const whole = await draw({ ...distribution, stratified });
    const part = await draw({ ...distribution, stratified }, { first: 3000, batch: 10 });
    expect(part).toEqual(whole.slice(3000, 3010));
  });

  it.each(backends)('are the same on $label', async ({ create }) => {
    for (const stratified of [false, true]) {
      const settings = { ...distribution, stratified, shift: 2 };
      const wanted = await draw(settings);
      const t = await draw(settings, { backend: create() });
      t.forEach((time, i) => expect(Math.abs(time - wanted[i]!)).toBeLessThan(1e-5));
    }
  });
});

describe('times', () => {
  it.each(modeScales)(
    'of mode with the last scale that there is, %d, still are a distribution',
    async (scale) => {
      const t = await draw({ kind: 'mode', scale, stratified: true });
      // At the larger one they stand still in the middle, but for rounding.
      expect(t.every((time, i) => time > (t[i - 1] ?? 0) - 2e-7 && time <= 1)).toBe(true);
    },
  );

  it('of each stratum are uniform in it', async () => {
    const t = [...(await draw({ kind: 'uniform', stratified: true }))];
    const places = t.map((time, i) => time * count - i);
    // Float32 rounds the last of them by up to 2^-12 of a stratum.
    expect(Math.min(...places)).toBeGreaterThan(-1e-3);
    expect(Math.max(...places)).toBeLessThan(1 + 1e-3);
    expect(moments(places).mean).toBeCloseTo(0.5, 1);
    expect(moments(places).std).toBeCloseTo(Math.sqrt(1 / 12), 1);
    expect(Math.max(...t)).toBeLessThan(1);
  });

  it('are logit-normal with the mean and deviation asked for', async () => {
    const t = [...(await draw({ kind: 'logit-normal', mean: -0.5, std: 1.5 }))];
    const logits = moments(t.map((value) => Math.log(value / (1 - value))));
    expect(Math.abs(logits.mean + 0.5)).toBeLessThan(0.06);
    expect(Math.abs(logits.std - 1.5)).toBeLessThan(0.05);
  });

  it.each(uShapes)('of the u-shape %d, the last that there is, are in [0, 1] and have its CDF', async (a) => {
    const t = [...(await draw({ kind: 'u-shaped', a, stratified: true }))];
    expect(Math.min(...t)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...t)).toBeLessThanOrEqual(1);
    // The integral of the density, scaled so that nothing overflows.
    const share = (time: number): number =>
      (Math.exp(a * (time - 1)) - Math.exp(-a) + 1 - Math.exp(-a * time)) / (2 * (1 - Math.exp(-a)));
    t.forEach((time, i) => expect(Math.abs(share(time) - (i + 0.5) / count)).toBeLessThan(1e-3));
  });

  it.each([1, 2, 3, 1000])('of %d steps are those that Euler looks at, each as often', async (steps) => {
    const t = [...(await draw({ kind: 'steps', steps, stratified: true }))];
    const seen = new Map<number, number>();
    for (const time of t) seen.set(Math.round(time * steps), (seen.get(Math.round(time * steps)) ?? 0) + 1);
    expect([...seen.keys()].toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: steps }, (_, i) => i + 1),
    );
    for (const many of seen.values()) expect(Math.abs(many - count / steps)).toBeLessThan(2);
    expect(Math.max(...t)).toBe(1);
    if (steps === 1) expect(t.every((time) => time === 1)).toBe(true);
  });

  it.each(backends)('of steps are the same on $label', async ({ create }) => {
    const times: TimeDistribution = { kind: 'steps', steps: 3 };
    expect(await draw(times, { backend: create() })).toEqual(await draw(times));
  });

  it('repeat for the same step', async () => {
    expect(await draw({ kind: 'uniform' })).toEqual(await draw({ kind: 'uniform' }));
  });
});

describe('the normal quantile', () => {
  it.each(backends)('is that of tables on $label', async ({ create }) => {
    // By Python's statistics.NormalDist. At 0.0015 and 1 - 2^-9 the polynomials meet.
    const table = [
      [2 ** -25, -5.41998317],
      [2 ** -16, -4.16956932],
      [2 ** -12, -3.4871041],
      [2 ** -9, -2.88563491],
      [0.0015, -2.96773792],
      [0.25, -0.67448975],
      [0.5 - 2 ** -12, -0.000611969832],
      [0.5, 0],
      [0.75, 0.67448975],
      [1 - 2 ** -9, 2.88563491],
      [1 - 2 ** -16, 4.16956932],
    ] as const;
    const program = trace('quantile', (graph) => ({ z: normalQuantile(graph.input('u', [table.length])) }));
    const executable = await create().compile(program, new Map());
    await executable.run({ u: Float32Array.from(table.map(([u]) => u)) });
    const z = (await executable.read(['z'])).z;
    table.forEach(([, wanted], i) => {
      expect(Math.abs(z[i]! - wanted)).toBeLessThan(2e-6 * Math.max(1, wanted ** 2));
    });
  });
});
