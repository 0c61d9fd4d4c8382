import { expect, it } from 'vitest';
import { assign } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { conformance } from '../support/conformance.ts';

conformance(
  'assign',
  [[1], [31, 3], [257, 129]].map((shape) => ({ inputs: [{ shape }, { shape }] })),
);

it('names the argument that does not fit', () => {
  const build = (): unknown =>
    trace('wrong', (graph) => {
      assign(graph.stateful('w', [4]), graph.input('x', [5]));
      return {};
    });
  expect(build).toThrow("assign: value must be the target's shape = [4], got [5]");
});
