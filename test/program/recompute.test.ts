import { describe, expect, it } from 'vitest';
import { add, exp, linear, mul, neg, sum } from '../../src/ops/index.ts';
import { type ActivationMemory, type Program, grad, mixedPrecision, trace } from '../../src/program/index.ts';
import type { Graph, Tensor } from '../../src/tensor/tensor.ts';

/** The gradient of sum(layers(x)). */
function gradientOf(memory: ActivationMemory, layers: (x: Tensor, graph: Graph) => Tensor): Program {
  return trace('gradient', (graph) => {
    const x = graph.input('x', [4]);
    return { dx: grad(sum(layers(x, graph)), [x], { memory })[0]! };
  });
}

const count = (program: Program, op: string): number =>
  program.nodes.filter((node) => node.op.name === op).length;

/** Two values that the backward pass reads. */
const layer = (x: Tensor): Tensor => exp(exp(x));

describe('recompute', () => {
  it('makes what is inside of a block again, and keeps its result', () => {
    const inBlocks = (x: Tensor, graph: Graph): Tensor =>
      graph.block(() => layer(graph.block(() => layer(x))));
    const apart = (x: Tensor, graph: Graph): Tensor => {
      const between = graph.block(() => layer(x));
      return graph.block(() => layer(between));
    };
    expect(count(gradientOf('keep', apart), 'exp')).toBe(4);
    expect(count(gradientOf('recompute', apart), 'exp')).toBe(4 + 2);
    expect(count(gradientOf('recompute', inBlocks), 'exp')).toBe(4 + 3);
  });

  it('keeps what stands in no block, and what others read', () => {
    expect(count(gradientOf('recompute', layer), 'exp')).toBe(2);
    const shared = (x: Tensor, graph: Graph): Tensor => {
      let inner = x;
      const result = graph.block(() => {
        inner = exp(x);
        return exp(inner);
      });
      return mul(result, neg(inner));
    };
    expect(count(gradientOf('recompute', shared), 'exp')).toBe(2);
  });

  it('makes values again just before a block needs them', () => {
    const program = gradientOf('recompute', (x, graph) => {
      const between = graph.block(() => layer(x));
      return graph.block(() => layer(between));
    });
    const ops = program.nodes.map(({ op, repeats }) => (repeats ? `${op.name} again` : op.name)).join(' ');
    expect(ops).toMatch(/exp again .*mul.* exp again .*mul/);
  });

  it('stores a value that is made again as the first is, whatever reads the one and the other', () => {
    const program = mixedPrecision(
      trace('block', (graph) => {
        const x = graph.input('x', [4, 8]);
        const w = graph.stateful('w', [8, 8]);
        // The sum keeps hidden in float32, and nothing of the sum is done again.
        const y = graph.block(() => {
          const hidden = linear(x, w);
          return add(linear(hidden, w), hidden);
        });
        return { dw: grad(sum(mul(y, y)), [w], { memory: 'recompute' })[0]! };
      }),
      'bfloat16',
    );
    const layers = program.nodes.filter(({ op }) => op.name === 'linear');
    const [hidden, , again] = layers.map(({ outputs }) => outputs[0]!.dtype);
    expect([layers.length, hidden, again]).toEqual([3, 'float32', 'float32']);
  });
});
