import { expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { groupNorm } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { float32Backends } from '../support/backends.ts';
import { conformance, relativeError } from '../support/conformance.ts';
import { groupNormCases, groupNormGradCases } from '../support/group-norm-cases.ts';
import { randomValues } from '../support/random.ts';

/** Shape of x, and groups. */
const cases = [
  [[1, 1, 2, 2], 1],
  [[2, 4, 5, 3], 2],
  [[3, 6, 4, 8], 6],
  [[1, 33, 31], 3],
  [[2, 8, 33, 1], 1],
  [[2, 32, 16, 16], 8],
  [[2, 12, 1, 1], 3],
  // Groups, and channels, of several parts.
  [[1, 4, 70, 70], 2],
] as const;
conformance('groupNorm', groupNormCases(cases), { differentiable: [0], fp32: 4e-6 });
conformance('groupNormGrad', groupNormGradCases(cases), { fp32: 4e-6 });

it('is what it says, of numbers far from 0', async () => {
  const [B, C, N, groups] = [2, 6, 35, 3];
  const [x, w, b] = [randomValues(B * C * N, 1).map((u) => 1000 + u), randomValues(C, 2), randomValues(C, 3)];
  const program = trace('norm', (graph) => ({
    y: groupNorm(graph.input('x', [B, C, 5, 7]), graph.input('w', [C]), graph.input('b', [C]), groups, {
      epsilon: 1e-5,
      activation: 'silu',
    }),
  }));
  const executable = await referenceBackend({ float: 'float64' }).compile(program, new Map());
  await executable.run({ x, w, b });
  const size = (C / groups) * N;
  const wanted = x.map((value, i) => {
    const first = Math.floor(i / size) * size;
    const group = x.subarray(first, first + size);
    const mean = group.reduce((total, u) => total + u, 0) / size;
    const variance = group.reduce((total, u) => total + (u - mean) ** 2, 0) / size;
    const c = Math.floor(i / N) % C;
    const z = ((value - mean) / Math.sqrt(variance + 1e-5)) * w[c]! + b[c]!;
    return z / (1 + Math.exp(-z));
  });
  expect(relativeError((await executable.read(['y'])).y, wanted)).toBeLessThan(1e-6);
});

/** The others have no mean but one of float32. */
const exactMeans = float32Backends().filter(({ label, skip }) => /^cpu |^wasm$/.test(label) && !skip);
it.each(exactMeans)('loses nothing to a mean that dwarfs the deviations, on $label', async ({ create }) => {
  const program = trace('norm', (graph) => ({
    y: groupNorm(graph.input('x', [2, 6, 5, 7]), graph.input('w', [6]), graph.input('b', [6]), 3),
  }));
  const values = {
    x: Float32Array.from(randomValues(420, 1), (u) => 100_000 + u),
    w: Float32Array.from(randomValues(6, 2)),
    b: Float32Array.from(randomValues(6, 3)),
  };
  const run = async (backend: Backend): Promise<HostArray> => {
    const executable = await backend.compile(program, new Map());
    await executable.run(values);
    return (await executable.read(['y'])).y;
  };
  const wanted = await run(referenceBackend({ float: 'float64' }));
  expect(relativeError(await run(create()), wanted)).toBeLessThan(2e-6);
});

it('names what does not fit', () => {
  const build = (groups: number, C: number) => (): unknown =>
    trace('wrong', (graph) => ({
      y: groupNorm(graph.input('x', [2, 30, 4, 4]), graph.input('w', [30]), graph.input('b', [C]), groups),
    }));
  expect(build(32, 30)).toThrow('groupNorm: groups must be a positive integer that divides C = 30, got 32');
  expect(build(3, 32)).toThrow('groupNorm: b must be [C] = [30], got [32]');
});
