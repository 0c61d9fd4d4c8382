import { expect, it } from 'vitest';
import { philoxNormal } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { conformance } from '../support/conformance.ts';

const step = { shape: [], dtype: 'int32' as const, value: () => 41 };
const cases = [[1], [33], [3, 5], [4, 1, 7, 9], [64, 257]].map((shape, stream) => ({
  inputs: [step],
  attributes: { shape, seed: 2 ** 40 + 12345, stream, firstSample: 3 },
}));

conformance('philoxUniform', cases);
conformance('philoxNormal', cases);

it('refuses a seed that it cannot hold', () => {
  const build = (): unknown =>
    trace('wrong', (graph) => ({
      y: philoxNormal(graph.input('step', [], 'int32'), [2], { seed: 0.5, stream: 0 }),
    }));
  expect(build).toThrow('philoxNormal: seed must be an integer in [0, 2^53), got 0.5');
});
