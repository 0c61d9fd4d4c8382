// Ops of a program's own that are called as ops of the package are: nothing that is made for those may meet these.
import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { toOnnx } from '../../src/interop/onnx/index.ts';
import { activations } from '../../src/ops/activations.ts';
import { gatedResidual, linearGradParamsOp, linearOp, neg, square } from '../../src/ops/index.ts';
import { type Fused, type Op, type Primitive, apply, apply1 } from '../../src/ops/op.ts';
import { type Program, fuse, trace } from '../../src/program/index.ts';
import { remake } from '../../src/program/remake.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { testBackends } from '../support/backends.ts';

type None = Record<string, never>;

const doubled: Primitive<None> = {
  kind: 'primitive',
  name: 'linear',
  infer: ([x]) => [{ shape: x!.shape, dtype: 'float32' }],
  evaluate([x], [y]) {
    for (let i = 0; i < y!.data.length; i++) y!.data[i] = 2 * x!.data[i]!;
  },
};
const squared: Fused<None> = {
  kind: 'fused',
  name: 'linear',
  infer: ([x]) => [{ shape: x!.shape, dtype: 'float32' }],
  decompose: ([x]) => [square(x!)],
};

const programOf = (op: Op): Program =>
  trace('own', (graph) => ({ y: neg(apply1(op, [graph.input('x', [4])], {})) }));
const x = Float32Array.of(1, 2, 3, 4);

describe('an op of a program that is called linear', () => {
  for (const { label, create, skip } of testBackends()) {
    const title = `on ${label}${skip ? ` (skipped: ${skip})` : ''}`;
    it.skipIf(skip !== undefined).each(['fp32', 'bf16', 'fp16'] as const)(
      `is decomposed where it is fused, ${title}, in %s`,
      async (precision) => {
        const executable = await create(precision).compile(programOf(squared), new Map());
        await executable.run({ x });
        expect((await executable.read(['y'])).y).toEqual(Float32Array.of(-1, -4, -9, -16));
      },
    );

    if (label === 'reference') continue;
    it.skipIf(skip !== undefined)(`is refused where it is primitive, ${title}`, async () => {
      const backend = create();
      await expect(backend.compile(programOf(doubled), new Map())).rejects.toThrow(
        `${label === 'webgpu' ? label : `cpu (${backend.isa})`}: no kernel for linear, a primitive op of the program's own. Define it as a fused op, by ops of ` +
          'rectiflow, or run the program on the reference backend, which evaluates it',
      );
    });
  }

  it('is evaluated by the reference where it is primitive', async () => {
    const executable = await referenceBackend().compile(programOf(doubled), new Map());
    await executable.run({ x });
    expect((await executable.read(['y'])).y).toEqual(Float32Array.of(-2, -4, -6, -8));
  });

  it('is not written to ONNX as what it is called', () => {
    const add: Primitive<None> = { ...doubled, name: 'add' };
    const build = (): Program => trace('own', (graph) => ({ y: apply1(add, [graph.input('x', [4])], {}) }));
    expect(() => toOnnx(build, { weights: new Map() })).toThrow('onnx: no kernel for add, a primitive op');
  });
});

it('joins no op that is only called as one that it can join', () => {
  const own: Fused<None> = { ...squared, infer: ([h]) => [{ shape: h!.shape, dtype: 'float32' }] };
  const build = (made: (inputs: readonly Tensor[]) => Tensor): string[] =>
    fuse(
      trace('gated', (graph) => {
        const [h, gate] = [graph.input('h', [2, 3, 4]), graph.input('gate', [2, 4])];
        const branch = made([h, graph.input('w', [4, 4]), graph.input('b', [4])]);
        return { y: gatedResidual(h, branch, gate) };
      }),
      () => true,
    ).nodes.map(({ op }) => op.name);
  expect(build((inputs) => apply(linearOp, inputs, { activation: 0 })[0]!)).toEqual(['linearGatedResidual']);
  expect(build((inputs) => apply1(own, inputs, {}))).toEqual(['linear', 'gatedResidual']);
});

it('makes nothing again of an op that is only called as one that can be made again', () => {
  const own: Fused<{ activation: number }> = { ...linearOp };
  const build = (op: typeof linearOp): number =>
    remake(
      trace('again', (graph) => {
        const [h, w] = [graph.input('h', [8, 4]), graph.input('w', [5, 4])];
        const { gelu } = activations;
        const [y, z] = apply(op, [h, w], { activation: gelu });
        const [dw] = apply(linearGradParamsOp, [y!, graph.input('dy', [8, 3])], {
          activation: activations.none,
        });
        return { dw: dw!, z: square(z!) };
      }),
    ).nodes.find(({ op: { name } }) => name === 'linearGradParams')!.attributes['activation'] as number;
  expect(build(linearOp)).toBe(activations.gelu);
  expect(build(own)).toBe(activations.none);
});
