import { expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { adamw } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { conformance } from '../support/conformance.ts';

const scalar = (value: number) => ({ shape: [], value: () => value });
const cases = [[1], [31], [32], [7, 33], [100, 257]].flatMap((shape) =>
  [
    [0, 0.7],
    [0.1, 0.7],
    [0.1, NaN],
  ].map(([weightDecay = 0, gradScale = 0]) => ({
    inputs: [
      { shape },
      { shape },
      { shape },
      { shape, value: (u: number) => 0.5 + 0.5 * u },
      { shape },
      scalar(gradScale),
      scalar(1e-2),
      { shape: [], dtype: 'int32' as const, value: () => 3 },
      scalar(0.99),
    ],
    attributes: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay },
  })),
);

conformance('adamw', cases);

it('changes nothing where gradScale is NaN, even with gradients that are not finite', async () => {
  const backend = referenceBackend();
  const names = ['param', 'm', 'v', 'ema'] as const;
  const program = trace('skip', (graph) => {
    const [param, m, v, ema] = names.map((name) => graph.stateful(name, [2])) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const scalarInput = (name: string): Tensor => graph.input(name, []);
    const [gradScale, learningRate, emaDecay] = [scalarInput('s'), scalarInput('l'), scalarInput('d')];
    const step = graph.input('step', [], 'int32');
    const grad = graph.input('grad', [2]);
    adamw(
      { param, grad, m, v, ema, gradScale, learningRate, step, emaDecay },
      { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 },
    );
    return {};
  });
  const buffers = new Map(names.map((name) => [name, backend.allocate({ shape: [2], dtype: 'float32' })]));
  for (const buffer of buffers.values()) await buffer.write(Float32Array.of(1, 2));
  const executable = await backend.compile(program, buffers);
  await executable.run({
    grad: Float32Array.of(NaN, Infinity),
    s: Float32Array.of(NaN),
    l: Float32Array.of(0.1),
    d: Float32Array.of(0.9),
    step: Int32Array.of(1),
  });
  for (const buffer of buffers.values()) expect(await buffer.read()).toEqual(Float32Array.of(1, 2));
});

it('names the argument that does not fit', () => {
  const build = (): unknown =>
    trace('wrong', (graph) => {
      const [param, grad, m, v] = ['p', 'g', 'm', 'v'].map((name) => graph.stateful(name, [4])) as never[];
      const [gradScale, learningRate, emaDecay] = ['s', 'l', 'd'].map((name) =>
        graph.input(name, []),
      ) as never[];
      const step = graph.input('step', [], 'int32');
      const ema = graph.stateful('e', [5]);
      const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
      adamw(
        {
          param: param!,
          grad: grad!,
          m: m!,
          v: v!,
          ema,
          gradScale: gradScale!,
          learningRate: learningRate!,
          step,
          emaDecay: emaDecay!,
        },
        settings,
      );
      return {};
    });
  expect(build).toThrow("adamw: ema must be the parameter's shape = [4], got [5]");
});
