import { expect, it } from 'vitest';
import { adamw } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { conformance } from '../support/conformance.ts';

const scalar = (value: number) => ({ shape: [], value: () => value });
const cases = [[1], [31], [32], [7, 33], [100, 257]].flatMap((shape) =>
  [0, 0.1].map((weightDecay) => ({
    inputs: [
      { shape },
      { shape },
      { shape },
      { shape, value: (u: number) => 0.5 + 0.5 * u },
      { shape },
      scalar(0.7),
      scalar(1e-2),
      { shape: [], dtype: 'int32' as const, value: () => 3 },
      scalar(0.99),
    ],
    attributes: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay },
  })),
);

conformance('adamw', cases);

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
