import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { assign, exp, linear, neg, reshape, sum } from '../../src/ops/index.ts';
import { type Program, changeEarly, grad, planMemory, trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { randomValues } from '../support/random.ts';

const opsOf = (program: Program): string => program.nodes.map(({ op }) => op.name).join(' ');

const size = 32;

/** The gradients of a chain of layers, which are stored when all of them are there. */
const layers = trace('layers', (graph) => {
  const weights = Array.from({ length: 6 }, (_, i) => graph.stateful(`w${i}`, [size, size]));
  let h = graph.input('x', [4, size]);
  for (const w of weights) h = linear(h, w);
  const loss = sum(exp(h));
  grad(loss, weights).forEach((gradient, i) => {
    assign(graph.stateful(`gradient${i}`, [size, size]), gradient);
  });
  return { loss };
});

async function stateAfter(program: Program, runs: number): Promise<Map<string, HostArray>> {
  const backend = referenceBackend();
  const buffers = new Map(program.state.map((tensor) => [tensor.name!, backend.allocate(tensor)]));
  let seed = 1;
  for (const buffer of buffers.values()) {
    await buffer.write(Float32Array.from(randomValues(size * size, seed++), (value) => 0.1 * value));
  }
  const executable = await backend.compile(program, buffers);
  const x = Float32Array.from(randomValues(4 * size, 9));
  for (let i = 0; i < runs; i++) await executable.run({ x });
  const read = [...buffers].map(async ([name, buffer]) => [name, await buffer.read()] as const);
  return new Map(await Promise.all(read));
}

describe('changeEarly', () => {
  it('lets go of gradients as they are stored, and stores the same', async () => {
    const early = changeEarly(layers);
    const bytes = 4 * size * size;
    expect(planMemory(layers).arenaBytes).toBeGreaterThan(6 * bytes);
    expect(planMemory(early).arenaBytes).toBeLessThan(3 * bytes);
    expect(await stateAfter(early, 2)).toEqual(await stateAfter(layers, 2));
  });

  it('moves a change to where its value is made', () => {
    const program = trace('move', (graph) => {
      const x = graph.input('x', [4]);
      const [a, b] = [graph.stateful('a', [4]), graph.stateful('b', [4])];
      const value = neg(x);
      const y = exp(x);
      assign(a, value);
      assign(b, value);
      return { y };
    });
    expect(opsOf(program)).toBe('neg exp assign assign');
    expect(opsOf(changeEarly(program))).toBe('neg assign assign exp');
  });

  it('moves nothing across what reads the state, by itself or as a view', () => {
    for (const isView of [false, true]) {
      const program = trace('read', (graph) => {
        const x = graph.input('x', [4]);
        const state = graph.stateful('state', [4]);
        const view = isView ? reshape(state, [2, 2]) : state;
        const value = neg(x);
        const read = exp(view);
        assign(state, value);
        return { read };
      });
      expect(opsOf(changeEarly(program))).toBe(opsOf(program));
    }
  });

  it('moves nothing across another change of the state, or of what it reads', () => {
    const program = trace('changes', (graph) => {
      const x = graph.input('x', [4]);
      const [a, b] = [graph.stateful('a', [4]), graph.stateful('b', [4])];
      const value = neg(x);
      assign(a, exp(x));
      assign(a, value);
      assign(b, a);
      return {};
    });
    const changes = (of: Program): string[] =>
      of.nodes.filter(({ op }) => op.name === 'assign').map((node) => node.inputs.map((t) => t.id).join());
    expect(changes(changeEarly(program))).toEqual(changes(program));
  });
});
