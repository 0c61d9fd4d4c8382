import { describe, expect, it } from 'vitest';
import { conditionDropout } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import type { DType } from '../../src/tensor/dtype.ts';
import { conformance } from '../support/conformance.ts';

const uniform = (u: number): number => 0.5 + 0.5 * u;

conformance(
  'conditionDropout',
  [[1], [31], [257], [3, 1], [5, 33], [4, 7, 20]].flatMap((shape) =>
    [{ dtype: 'int32' as const, value: (_: number, i: number) => i % 10 }, {}].map((kind) => ({
      inputs: [
        { shape, ...kind },
        { shape: shape.slice(0, 1), value: uniform },
        { ...kind, shape: shape.slice(1), value: (_: number, i: number) => 10 + i },
      ],
      attributes: { probability: 0.4 },
    })),
  ),
  { steps: [1] },
);

describe('conditionDropout names what does not fit:', () => {
  const build = ({ probability = 0.1, absent = [2], dtype = 'int32', samples = 4 }) =>
    trace('wrong', (graph) => ({
      y: conditionDropout(
        graph.input('tokens', [4, 2], 'int32'),
        graph.input('u', [samples]),
        graph.input('absent', absent, dtype as DType),
        probability,
      ),
    }));

  it('a probability that is none', () => {
    expect(() => build({ probability: 1.5 })).toThrow(
      'conditionDropout: probability must be in [0, 1], got 1.5',
    );
  });

  it('an absent condition of another size', () => {
    expect(() => build({ absent: [1] })).toThrow(
      "conditionDropout: absent must be one sample's shape = [2], got [1]",
    );
  });

  it('an absent condition of another type', () => {
    expect(() => build({ dtype: 'float32' })).toThrow('conditionDropout: absent must be int32, got float32');
  });

  it('numbers for other samples', () => {
    expect(() => build({ samples: 5 })).toThrow('conditionDropout: u must be [B] = [4], got [5]');
  });
});
