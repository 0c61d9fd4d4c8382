import { expect, it } from 'vitest';
import { labelDropout } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { conformance } from '../support/conformance.ts';

const uniform = (u: number): number => 0.5 + 0.5 * u;

conformance(
  'labelDropout',
  [1, 31, 257].map((count) => ({
    inputs: [
      { shape: [count], dtype: 'int32' as const, value: (_, i) => i % 10 },
      { shape: [count], value: uniform },
    ],
    attributes: { probability: 0.4, nullLabel: 10 },
  })),
);

it('refuses a probability that is none', () => {
  const build = (): unknown =>
    trace('wrong', (graph) => ({
      y: labelDropout(graph.input('labels', [4], 'int32'), graph.input('u', [4]), 1.5, 10),
    }));
  expect(build).toThrow('labelDropout: probability must be in [0, 1], got 1.5');
});
