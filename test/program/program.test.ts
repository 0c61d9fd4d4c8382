import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { add, linear, mul, neg, reshape, sum } from '../../src/ops/index.ts';
import { grad, lower, trace } from '../../src/program/index.ts';

async function run(program: ReturnType<typeof trace>, inputs: Record<string, Float32Array>) {
  const executable = await referenceBackend({ float: 'float64' }).compile(program, new Map());
  await executable.run(inputs);
  return executable;
}

describe('trace', () => {
  it('prints a program readably', () => {
    const program = trace('example', (graph) => {
      const x = graph.input('x', [2, 3]);
      return { y: linear(x, graph.stateful('w', [4, 3]), graph.stateful('b', [4]), 'gelu') };
    });
    expect(program.toString()).toBe(
      [
        'program example',
        'input x: float32 [2, 3]',
        'state w: float32 [4, 3]',
        'state b: float32 [4]',
        '%3: float32 [2, 4], %4: float32 [2, 4] = linear(x, w, b) {activation: 1}',
        'output y: %3',
      ].join('\n  '),
    );
  });

  it('drops what nothing depends on', () => {
    const program = trace('dead', (graph) => {
      const x = graph.input('x', [2]);
      neg(neg(x));
      return { y: add(x, x) };
    });
    expect(program.nodes.map(({ op }) => op.name)).toEqual(['add']);
  });

  it('refuses two inputs of one name', () => {
    expect(() =>
      trace('twice', (graph) => ({ y: add(graph.input('x', [1]), graph.input('x', [1])) })),
    ).toThrow('two input tensors are named x');
  });
});

describe('grad', () => {
  it('adds up the gradients of a value that is used more than once', async () => {
    const program = trace('square', (graph) => {
      const x = graph.input('x', [3]);
      return { dx: grad(sum(add(mul(x, x), x)), [x])[0]! };
    });
    const executable = await run(program, { x: Float32Array.of(1, 2, 3) });
    expect([...(await executable.read(['dx'])).dx]).toEqual([3, 5, 7]);
  });

  it('names a value that the loss does not depend on', () => {
    const build = (): unknown =>
      trace('apart', (graph) => {
        const x = graph.input('x', [3]);
        return { dx: grad(sum(x), [graph.input('unused', [3])])[0]! };
      });
    expect(build).toThrow('the loss does not depend on unused');
  });

  it('wants a scalar', () => {
    const build = (): unknown =>
      trace('vector', (graph) => {
        const x = graph.input('x', [3]);
        return { dx: grad(x, [x])[0]! };
      });
    expect(build).toThrow('grad: loss must be a scalar, [], got [3]');
  });
});

describe('lower', () => {
  it('leaves only what the backend has kernels for', () => {
    const program = trace('fused', (graph) => ({
      y: linear(reshape(graph.input('x', [6]), [2, 3]), graph.input('w', [4, 3]), undefined, 'silu'),
    }));
    const lowered = lower(program, 'test', ({ kind }) => kind === 'primitive');
    expect(lowered.nodes.map(({ op }) => op.name)).toEqual(['reshape', 'matmul', 'sigmoid', 'mul']);
  });

  it('names a primitive that the backend lacks', () => {
    const program = trace('plain', (graph) => ({ y: neg(graph.input('x', [2])) }));
    expect(() => lower(program, 'test', () => false)).toThrow('test: no kernel for the primitive op neg');
  });
});

describe('run', () => {
  const program = trace('checked', (graph) => ({ y: add(graph.input('x', [2]), graph.stateful('w', [2])) }));
  const backend = referenceBackend();

  it('names a missing input, an unknown one, and one of the wrong size', async () => {
    const executable = await backend.compile(
      program,
      new Map([['w', backend.allocate({ shape: [2], dtype: 'float32' })]]),
    );
    await expect(executable.run({})).rejects.toThrow('program checked: input x is missing');
    const x = new Float32Array(2);
    await expect(executable.run({ x, z: x })).rejects.toThrow('there is no input z; its inputs are x');
    await expect(executable.run({ x: new Float32Array(3) })).rejects.toThrow(
      'program checked: input x: wanted 2 elements for shape [2], got 3',
    );
    await expect(executable.run({ x: new Int32Array(2) })).rejects.toThrow(
      'wanted a Float32Array or Float64Array, got Int32Array',
    );
  });

  it('names state without a buffer, and a buffer of the wrong shape', async () => {
    await expect(backend.compile(program, new Map())).rejects.toThrow(
      'program checked: no buffer for the state w',
    );
    const wrong = backend.allocate({ shape: [3], dtype: 'float32' });
    await expect(backend.compile(program, new Map([['w', wrong]]))).rejects.toThrow(
      'the buffer for w must be float32 [2], got float32 [3]',
    );
  });
});
