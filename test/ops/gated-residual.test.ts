import { expect, it } from 'vitest';
import { gatedResidual } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { conformance } from '../support/conformance.ts';

const cases = (
  [
    [1, 1, 1],
    [2, 3, 31],
    [3, 5, 32],
    [2, 33, 33],
    [1, 49, 65],
    [4, 2, 257],
  ] as const
).map(([B, N, D]) => ({ inputs: [{ shape: [B, N, D] }, { shape: [B, N, D] }, { shape: [B, D] }] }));

conformance('gatedResidual', cases);
conformance('gatedResidualGrad', cases);

it('names the argument that does not fit', () => {
  const build = (): unknown =>
    trace('wrong', (graph) => ({
      y: gatedResidual(graph.input('x', [8, 16, 4]), graph.input('h', [8, 16, 4]), graph.input('g', [4])),
    }));
  expect(build).toThrow('gatedResidual: gate must be [B, D] = [8, 4], got [4]');
});
