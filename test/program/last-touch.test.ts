import { expect, it } from 'vitest';
import { assign, exp, neg, reshape } from '../../src/ops/index.ts';
import { lastTouches, trace } from '../../src/program/index.ts';

it('the last node that reads or changes each state, by itself or as a view', () => {
  const program = trace('touches', (graph) => {
    const x = graph.input('x', [4]);
    const [changed, read, viewed] = ['changed', 'read', 'viewed'].map((name) => graph.stateful(name, [4]));
    graph.stateful('idle', [4]);
    const view = reshape(viewed!, [2, 2]);
    assign(changed!, neg(read!)); // 1 and 2, behind the view
    const y = exp(view); // 3
    return { y, z: neg(x) };
  });
  expect(program.nodes.map(({ op }) => op.name)).toEqual(['reshape', 'neg', 'assign', 'exp', 'neg']);
  expect(lastTouches(program)).toEqual(
    new Map([
      ['read', 1],
      ['changed', 2],
      ['viewed', 3],
    ]),
  );
});
