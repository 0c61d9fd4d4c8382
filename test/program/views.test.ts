import { describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { assign, exp, linear, log, mul, neg, reshape, slice, square, sum } from '../../src/ops/index.ts';
import { type View, apply1 } from '../../src/ops/op.ts';
import { type Program, changeEarly, grad, planMemory, trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { float32Backends } from '../support/backends.ts';
import { randomValues } from '../support/random.ts';
import { type Rows, type TakeRows, rows, rowsOp } from '../support/rows-view.ts';

const copiedRows: TakeRows = (x, start, size) => slice(x, 0, start, size);

const values = (program: Program): Record<string, HostArray> =>
  Object.fromEntries(
    program.inputs.map(({ name, shape }, i) => [name!, Float32Array.from(randomValues(sizeOf(shape), i))]),
  );

/** @returns its outputs, and the state after it */
async function run(backend: Backend, program: Program): Promise<Record<string, HostArray>> {
  const buffers = new Map(program.state.map((tensor) => [tensor.name!, backend.allocate(tensor)]));
  for (const buffer of buffers.values())
    await buffer.write(Float32Array.from(randomValues(sizeOf(buffer.shape), 50)));
  const executable = await backend.compile(program, buffers);
  await executable.run(values(program));
  const found: Record<string, HostArray> = await executable.read([...program.outputs.keys()]);
  for (const [name, buffer] of buffers) found[name] = await buffer.read();
  return found;
}

/** Two layers, the second of which sees some rows of what the first makes: of an odd width, so that they begin anywhere. */
const layers = (take: TakeRows): Program =>
  trace('layers', (graph) => {
    const x = graph.input('x', [6, 5]);
    const [w1, w2] = [graph.input('w1', [7, 5]), graph.input('w2', [3, 7])];
    const hidden = linear(take(x, 1, 5), w1, undefined, 'gelu');
    const part = reshape(take(reshape(hidden, [5, 7, 1]), 2, 3), [3, 7]);
    const y = linear(take(part, 1, 2), w2);
    const [dx, dw1] = grad(sum(square(y)), [x, w1]);
    return { y, part, dx: dx!, dw1: dw1! };
  });

for (const { label, create, skip } of float32Backends()) {
  describe.skipIf(skip !== undefined)(`views on ${label}${skip ? ` (skipped: ${skip})` : ''}`, () => {
    it.each(['fp32', 'bf16', 'fp16'] as const)('may be of any kind, in %s', async (precision) => {
      const backend = create(precision);
      expect(await run(backend, layers(rows))).toEqual(await run(backend, layers(copiedRows)));
    });

    it('have the memory of what they are a view of, and change with it', async () => {
      const program = trace('change', (graph) => {
        const state = graph.stateful('state', [4, 3]);
        const [before, part] = [reshape(state, [12]), rows(state, 1, 2)];
        const old = neg(before);
        assign(rows(state, 2, 2), graph.input('new', [2, 3]));
        return { old, after: neg(before), part: neg(part) };
      });
      const state = Float32Array.from(randomValues(12, 50));
      const changed = Float32Array.of(...state.slice(0, 6), ...values(program)['new']!);
      expect(await run(create(), program)).toEqual({
        old: state.map((value) => -value),
        after: changed.map((value) => -value),
        part: changed.slice(3, 9).map((value) => -value),
        state: changed,
      });
    });

    it('of what a run would change are not read when bad numbers are looked for', async () => {
      const program = trace('inspected', (graph) => {
        const state = graph.stateful('state', [2, 2]);
        const view = reshape(state, [4]);
        assign(state, exp(graph.input('x', [2, 2])));
        // Finite of what the state is to be, not of the zeros that it is.
        return { y: log(view), bad: log(neg(square(graph.inputs[0]!))) };
      });
      const backend = create();
      const buffer = backend.allocate({ shape: [2, 2], dtype: 'float32' });
      const executable = await backend.compile(program, new Map([['state', buffer]]));
      const finding = await executable.inspect(values(program));
      expect(finding?.tensor).toBe(executable.program.outputs.get('bad'));
    });
  });
}

it('takes no memory, and keeps that of its input for as long as it is read', () => {
  const program = trace('alias', (graph) => {
    const x = neg(graph.input('x', [8, 4]));
    const part = rows(rows(x, 2, 5), 1, 3);
    const other = neg(neg(neg(part)));
    return { y: mul(part, other) };
  });
  const plan = planMemory(program);
  const [x, , part] = program.nodes.map(({ outputs }) => outputs[0]!);
  expect(plan.locate(part!)).toEqual({ memory: x, start: 12 });
  expect(plan.placements.map(({ tensor }) => tensor)).not.toContain(part);
  expect(plan.placements.find(({ tensor }) => tensor === x)!.last).toBe(program.nodes.length - 1);
});

it('lets no change of a part move across what reads the whole', () => {
  const program = trace('part', (graph) => {
    const state = graph.stateful('state', [4, 3]);
    const value = neg(graph.input('x', [2, 3]));
    const read = exp(state);
    assign(rows(state, 1, 2), value);
    return { read };
  });
  const order = changeEarly(program).nodes.map(({ op }) => op.name);
  expect(order.indexOf('assign')).toBeGreaterThan(order.indexOf('exp'));
});

describe('is refused where it', () => {
  const build = (op: View<Rows>, start: number): Program =>
    trace('wrong', (graph) => ({ y: neg(apply1(op, [graph.input('x', [4, 3])], { start, size: 2 })) }));
  const lower = (op: View<Rows>, start: number) => () => referenceBackend().lower(build(op, start));

  it('goes beyond its input', () => {
    expect(lower(rowsOp, 2)).not.toThrow();
    expect(lower(rowsOp, 3)).toThrow('rows: a view must be within the 12 elements of its input, got 9 to 15');
    expect(lower(rowsOp, -1)).toThrow('got -3 to 3');
    expect(lower(rowsOp, 0.5)).toThrow('got 1.5 to 7.5');
  });

  it('has another dtype', () => {
    const cast: View<Rows> = { ...rowsOp, infer: () => [{ shape: [1], dtype: 'bfloat16' }] };
    expect(lower(cast, 0)).toThrow(
      'rows: a view must be one value made of one other in its dtype, got bfloat16 of float32',
    );
  });
});
