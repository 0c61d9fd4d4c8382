import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { assign, neg, reshape } from '../../src/ops/index.ts';
import { type Fused, type Primitive, apply } from '../../src/ops/op.ts';
import { type Program, fuse, trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import type { Graph, Tensor } from '../../src/tensor/tensor.ts';
import { randomValues } from '../support/random.ts';

type None = Record<string, never>;

/** m <- m + grad, param <- param - m */
const updateOp: Primitive<None> = {
  kind: 'primitive',
  name: 'update',
  mutates: [0, 1],
  infer: () => [],
  evaluate([param, m, grad]) {
    for (let i = 0; i < param!.data.length; i++) {
      m!.data[i]! += grad!.data[i]!;
      param!.data[i]! -= m!.data[i]!;
    }
  },
};

/** average <- average + weight (value - average), all of one shape */
const averageOp: Primitive<None> = {
  kind: 'primitive',
  name: 'average',
  mutates: [0],
  infer: () => [],
  evaluate([average, value]) {
    for (let i = 0; i < value!.data.length; i++) average!.data[i] = (average!.data[i]! + value!.data[i]!) / 2;
  },
};

/** Both, in one pass over memory. */
const updateAverageOp: Fused<None> = {
  kind: 'fused',
  name: 'updateAverage',
  mutates: [0, 1, 3],
  infer: () => [],
  decompose([param, m, grad, average, weight]) {
    update(param!, m!, grad!);
    smooth(average!, param!, weight!);
    return [];
  },
  fusions: () => [
    {
      producer: updateOp,
      consumer: averageOp,
      join({ inputs }, { inputs: [average, value, weight] }) {
        if (value !== inputs[0]) return undefined;
        return { inputs: [...inputs, average!, weight!], outputs: [], attributes: {} };
      },
    },
  ],
};

const update = (param: Tensor, m: Tensor, grad: Tensor): void => void apply(updateOp, [param, m, grad], {});
const smooth = (average: Tensor, value: Tensor, weight: Tensor): void =>
  void apply(averageOp, [average, value, weight], {});

const size = [4];
type Values = Record<'param' | 'm' | 'grad' | 'average' | 'weight' | 'other', Tensor>;

const build = (record: (values: Values, graph: Graph) => Record<string, Tensor>): Program =>
  trace('changes', (graph) => {
    const names = ['param', 'm', 'grad', 'average', 'weight', 'other'] as const;
    const values = Object.fromEntries(names.map((name) => [name, graph.stateful(name, size)]));
    return record(values as Values, graph);
  });

const joined = (program: Program): Program => fuse(program, () => true, [updateAverageOp]);
const opsOf = ({ nodes }: Program): string => nodes.map(({ op }) => op.name).join(' ');

/** What is in state and in outputs after a run. */
async function results(program: Program): Promise<Record<string, HostArray>> {
  const backend = referenceBackend();
  const buffers = new Map(program.state.map((tensor) => [tensor.name!, backend.allocate(tensor)]));
  let seed = 1;
  for (const buffer of buffers.values())
    await buffer.write(Float32Array.from(randomValues(sizeOf(buffer.shape), seed++)));
  const executable = await backend.compile(program, buffers);
  await executable.run({});
  const found: Record<string, HostArray> = await executable.read([...program.outputs.keys()]);
  for (const [name, buffer] of buffers) found[name] = await buffer.read();
  return found;
}

describe('a change of state and one that follows it', () => {
  it.each<[string, Program, string]>([
    [
      'are joined',
      build(({ param, m, grad, average, weight }) => {
        update(param, m, grad);
        smooth(average, param, weight);
        return {};
      }),
      'updateAverage',
    ],
    [
      'are joined where others stand between that do not meet them, and are read before and after',
      build(({ param, m, grad, average, other, weight }) => {
        const before = neg(param);
        update(param, m, grad);
        const read = neg(grad);
        assign(other, before);
        smooth(average, param, weight);
        return { before, read, after: neg(param), average: neg(average) };
      }),
      'neg neg assign updateAverage neg neg',
    ],
    [
      'are joined with one of two that follow, and the second stays behind',
      build(({ param, m, grad, average, other, weight }) => {
        update(param, m, grad);
        smooth(average, param, weight);
        smooth(other, param, weight);
        return {};
      }),
      'updateAverage average',
    ],
    [
      'are joined under each other where there are several',
      build(({ param, m, grad, average, other, weight }, graph) => {
        const [second, moment] = [graph.stateful('second', size), graph.stateful('moment', size)];
        update(param, m, grad);
        update(second, moment, grad);
        smooth(average, param, weight);
        smooth(other, second, weight);
        return {};
      }),
      'updateAverage updateAverage',
    ],
    [
      'are joined with the change that was last',
      build(({ param, m, grad, average, other, weight }) => {
        update(param, m, grad);
        update(param, m, other);
        smooth(average, param, weight);
        return {};
      }),
      'update updateAverage',
    ],
  ])('%s', async (_, program, wanted) => {
    const together = joined(program);
    expect(opsOf(together)).toBe(wanted);
    expect(await results(together)).toEqual(await results(program));
  });

  it.each<[string, Program]>([
    [
      'what is changed is read between them',
      build(({ param, m, grad, average, weight }) => {
        update(param, m, grad);
        const read = neg(m);
        smooth(average, param, weight);
        return { read };
      }),
    ],
    [
      'it is read as a view',
      build(({ param, m, grad, average, weight }) => {
        const view = reshape(m, [2, 2]);
        update(param, m, grad);
        const read = neg(view);
        smooth(average, param, weight);
        return { read };
      }),
    ],
    [
      'what the first reads is changed between them, as a view',
      build(({ param, m, grad, average, other, weight }) => {
        update(param, m, grad);
        assign(reshape(grad, [2, 2]), reshape(other, [2, 2]));
        smooth(average, param, weight);
        return {};
      }),
    ],
    [
      'what follows changes what the first reads',
      build(({ param, m, grad, weight }) => {
        update(param, m, grad);
        smooth(grad, param, weight);
        return {};
      }),
    ],
    [
      'what follows reads more of what was changed',
      build(({ param, m, grad, average }) => {
        update(param, m, grad);
        smooth(average, param, m);
        return {};
      }),
    ],
    [
      'what is changed is changed again between them',
      build(({ param, m, grad, average, other, weight }) => {
        update(param, m, grad);
        assign(param, other);
        smooth(average, param, weight);
        return {};
      }),
    ],
    [
      'the change follows',
      build(({ param, m, grad, average, weight }) => {
        smooth(average, param, weight);
        update(param, m, grad);
        return {};
      }),
    ],
  ])('stay apart where %s', async (_, program) => {
    expect(opsOf(joined(program))).not.toContain('updateAverage');
    expect(await results(joined(program))).toEqual(await results(program));
  });
});
