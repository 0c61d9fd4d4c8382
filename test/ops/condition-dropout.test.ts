import { describe, expect, it } from 'vitest';
import { conditionDropout } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { conformance } from '../support/conformance.ts';

const uniform = (u: number): number => 0.5 + 0.5 * u;
const absentOf = (shape: readonly number[]): number[] =>
  Array.from({ length: sizeOf(shape.slice(1)) }, (_, i) => 10 + i);

conformance(
  'conditionDropout',
  [[1], [31], [257], [3, 1], [5, 33], [4, 7, 20]].flatMap((shape) =>
    [{ dtype: 'int32' as const, value: (_: number, i: number) => i % 10 }, {}].map((kind) => ({
      inputs: [
        { shape, ...kind },
        { shape: shape.slice(0, 1), value: uniform },
      ],
      attributes: { probability: 0.4, absent: absentOf(shape) },
    })),
  ),
  { steps: [1] },
);

describe('conditionDropout names what does not fit:', () => {
  const build = (probability: number, absent: number[], samples = 4) =>
    trace('wrong', (graph) => ({
      y: conditionDropout(
        graph.input('tokens', [4, 2], 'int32'),
        graph.input('u', [samples]),
        probability,
        absent,
      ),
    }));

  it('a probability that is none', () => {
    expect(() => build(1.5, [0, 0])).toThrow('conditionDropout: probability must be in [0, 1], got 1.5');
  });

  it('an absent condition of another size', () => {
    expect(() => build(0.1, [0])).toThrow(
      "conditionDropout: absent must be 2 numbers, one sample's size, got 1",
    );
  });

  it('numbers for other samples', () => {
    expect(() => build(0.1, [0, 0], 5)).toThrow('conditionDropout: u must be [B] = [4], got [5]');
  });
});

it('prints no more than the beginning of a long absent condition', () => {
  const program = trace('long', (graph) => ({
    y: conditionDropout(graph.input('x', [2, 1000]), graph.input('u', [2]), 0.1, absentOf([2, 1000])),
  }));
  expect(program.toString()).toContain(
    'absent: [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, ... 1000 numbers]',
  );
});
