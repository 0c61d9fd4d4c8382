import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import {
  add,
  assign,
  gatedResidual,
  layerNormModulate,
  linear,
  linearGradInputOp,
  mul,
  reshape,
  square,
  sum,
} from '../../src/ops/index.ts';
import { apply } from '../../src/ops/op.ts';
import { type Program, fuse, grad, trace } from '../../src/program/index.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import type { Graph, Tensor } from '../../src/tensor/tensor.ts';
import { float32Backends } from '../support/backends.ts';
import { relativeError } from '../support/conformance.ts';
import { randomValues } from '../support/random.ts';
import { outputsOf } from '../support/outputs.ts';

const B = 3;
const N = 5;
const D = 8;

/** A residual branch of two layers around a norm, and its gradients: everything that can be joined. */
function branch(
  graph: Graph,
  seen: (value: Record<string, Tensor>) => Record<string, Tensor>,
): Record<string, Tensor> {
  const x = graph.input('x', [B, N, D]);
  const [shift, scale, gate] = ['shift', 'scale', 'gate'].map((name) => graph.input(name, [B, D]));
  const [w1, w2, b1, b2] = [
    graph.input('w1', [4 * D, D]),
    graph.input('w2', [D, 4 * D]),
    graph.input('b1', [4 * D]),
    graph.input('b2', [D]),
  ];
  const hidden = linear(layerNormModulate(x, shift!, scale!), w1!, b1, 'gelu');
  const branched = linear(hidden, w2!, b2);
  const y = gatedResidual(x, branched, gate!);
  return { y, ...seen({ x, w1: w1!, gate: gate!, branched, y }) };
}

const opsOf = (program: Program): string[] => program.nodes.map(({ op }) => op.name);
/** Without views. */
const worksOf = (program: Program): string[] => opsOf(program).filter((name) => name !== 'reshape');
const every = (): boolean => true;

const training = trace('training', (graph) =>
  branch(graph, ({ x, w1, gate, y }) => {
    const [dx, dw, dgate] = grad(sum(y!), [x!, w1!, gate!]);
    return { dx: dx!, dw: dw!, dgate: dgate! };
  }),
);

describe('fuse', () => {
  it('joins a linear layer and the gated addition, the derivative of an activation, and the gradient around a branch', () => {
    const before = opsOf(training);
    const after = opsOf(fuse(training, every));
    expect(before).toContain('gatedResidual');
    expect(after).toContain('linearGatedResidual');
    for (const op of ['gatedResidual', 'activationGrad', 'add']) expect(after).not.toContain(op);
    expect(after.length).toBe(before.length - 3);
  });

  it('joins nothing that the backend has no kernel for', () => {
    expect(opsOf(fuse(training, ({ name }) => name !== 'linearGatedResidual'))).toContain('gatedResidual');
  });

  it('leaves a value alone that something else reads in between, and one that does not fit', () => {
    const read = trace('read', (graph) =>
      branch(graph, ({ branched, y }) => ({ twice: add(branched!, y!) })),
    );
    expect(opsOf(fuse(read, every))).toContain('linearGatedResidual');
    const early = trace('early', (graph) => {
      const x = graph.input('x', [B, N, D]);
      const made = linear(x, graph.input('w', [D, D]), graph.input('b', [D]));
      const before = add(made, made);
      return { y: gatedResidual(before, made, graph.input('gate', [B, D])) };
    });
    expect(opsOf(fuse(early, every))).toEqual(['linear', 'add', 'gatedResidual']);
    const withoutBias = trace('bias', (graph) => {
      const x = graph.input('x', [B, N, D]);
      return { y: gatedResidual(x, linear(x, graph.input('w', [D, D])), graph.input('gate', [B, D])) };
    });
    expect(opsOf(fuse(withoutBias, every))).toEqual(['linear', 'gatedResidual']);
  });

  it.each([
    ['as they are', false, false],
    ['under another shape', true, false],
    ['and are read under another shape', false, true],
  ])('leaves a layer alone whose weights change before the gate, %s', (_, isChangedAsView, isReadAsView) => {
    const program = trace('changed', (graph) => {
      const x = graph.input('x', [B, N, D]);
      const w = graph.stateful('w', isReadAsView ? [D * D] : [D, D]);
      const made = linear(x, reshape(w, [D, D]), graph.input('b', [D]));
      const target = isChangedAsView ? reshape(w, [D * D]) : w;
      assign(target, graph.input('new', target.shape));
      return { y: gatedResidual(x, made, graph.input('gate', [B, D])) };
    });
    expect(worksOf(fuse(program, every))).toEqual(['linear', 'assign', 'gatedResidual']);
  });

  it('leaves a layer alone that is added to itself: it would be read where it is made', () => {
    for (const isView of [false, true]) {
      const program = trace('itself', (graph) => {
        const made = linear(graph.input('x', [B, N, D]), graph.input('w', [D, D]), graph.input('b', [D]));
        const again = isView ? reshape(reshape(made, [B * N, D]), [B, N, D]) : made;
        return { y: gatedResidual(again, made, graph.input('gate', [B, D])) };
      });
      expect(worksOf(fuse(program, every))).toEqual(['linear', 'gatedResidual']);
    }
  });

  it('joins across a view that nothing reads in between, and not across one that is read', () => {
    const build = (isReadEarly: boolean): Program =>
      trace('view', (graph) => {
        const x = graph.input('x', [B, N, D]);
        const made = linear(x, graph.input('w', [D, D]), graph.input('b', [D]));
        const view = reshape(reshape(made, [B * N, D]), [B * N * D]);
        const early = isReadEarly ? square(view) : undefined;
        const y = gatedResidual(x, made, graph.input('gate', [B, D]));
        return { y, read: early ?? square(view) };
      });
    expect(opsOf(fuse(build(false), every))).toEqual(['linearGatedResidual', 'reshape', 'reshape', 'square']);
    expect(worksOf(fuse(build(true), every))).toEqual(['linear', 'square', 'gatedResidual']);
  });

  it('joins a factor to the gradient that it is multiplied with, but not one that is read for itself too', () => {
    const build = (alone: boolean): Program =>
      trace('read', (graph) => {
        const dx = apply(linearGradInputOp, [graph.input('dy', [N, D]), graph.input('w', [D, D])], {
          activation: 0,
        })[0]!;
        const product = mul(dx, graph.input('factor', [N, D]));
        return alone ? { product } : { product, dx };
      });
    expect(opsOf(fuse(build(true), every))).toEqual(['linearGradInput']);
    expect(opsOf(fuse(build(false), every))).toEqual(['linearGradInput', 'mul']);
  });

  it('joins nothing whose value is read as a view, by the host too', () => {
    for (const isOutput of [false, true]) {
      const program = trace('read', (graph) => {
        const inputs = [graph.input('dy', [N, D]), graph.input('w', [D, D])];
        const dx = apply(linearGradInputOp, inputs, { activation: 0 })[0]!;
        const product = mul(dx, graph.input('factor', [N, D]));
        const view = reshape(dx, [N * D]);
        return { product, view: isOutput ? view : square(view) };
      });
      expect(worksOf(fuse(program, every)).slice(0, 2)).toEqual(['linearGradInput', 'mul']);
    }
  });

  for (const { label, create, skip } of float32Backends()) {
    it.skipIf(skip !== undefined)(
      `changes no result on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
      async () => {
        const inputs = Object.fromEntries(
          training.inputs.map(({ name, shape }, i) => [
            name!,
            Float32Array.from(randomValues(sizeOf(shape), i)),
          ]),
        );
        const wanted = await referenceBackend({ float: 'float64' }).compile(training, new Map());
        const got = await create().compile(training, new Map());
        await wanted.run(inputs);
        await got.run(inputs);
        const exact = await outputsOf(wanted);
        for (const [name, values] of await outputsOf(got))
          expect(relativeError(values, exact.get(name)!), `error of ${name}`).toBeLessThan(4e-6);
      },
    );
  }
});
