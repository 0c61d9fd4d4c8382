// Activations in bf16 may be coarser than in float32, but not so that rounding to bf16 would show it.
import { describe, expect, it } from 'vitest';
import { linear, sum } from '../../src/ops/index.ts';
import { grad, trace } from '../../src/program/index.ts';
import { testBackends } from '../support/backends.ts';

const [rows, width] = [24, 32];
/** From -24 to 24 by sixteenths, which bf16 holds. */
const points = Float32Array.from({ length: rows * width }, (_, i) => (i - (rows * width) / 2) / 16);
const identity = Float32Array.from({ length: width * width }, (_, i) => Number(i % (width + 1) === 0));

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const functions = {
  gelu: (x: number): number => x * sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)),
  silu: (x: number): number => x * sigmoid(x),
};
const derivative = (f: (x: number) => number, x: number): number => (f(x + 1e-5) - f(x - 1e-5)) / 2e-5;

function program(activation: keyof typeof functions) {
  return trace(activation, (graph) => {
    const x = graph.input('x', [rows, width]);
    const w = graph.input('w', [width, width]);
    const y = linear(x, w, undefined, activation);
    // Outputs of a program are float32: only what another product reads is bf16.
    return { y: linear(y, w), dx: grad(sum(y), [x])[0]! };
  });
}

/** The largest error, in halves of the last place of a bf16 of that size, beyond a ten-thousandth. */
function worst(values: ArrayLike<number>, exact: (x: number) => number): number {
  return Math.max(
    ...Array.from(
      points,
      (x, i) => (Math.abs(values[i]! - exact(x)) - 1e-4) / (2 ** -9 * Math.abs(exact(x))),
    ),
  );
}

describe.each(testBackends())('activations in bf16 on $label', ({ create, skip }) => {
  it.skipIf(skip).each(['gelu', 'silu'] as const)('%s and its derivative', async (activation) => {
    const f = functions[activation];
    const executable = await create('bf16').compile(program(activation), new Map());
    await executable.run({ x: points, w: identity });
    // y is rounded once, dx twice.
    expect(worst((await executable.read(['y'])).y, f)).toBeLessThan(2.2);
    expect(worst((await executable.read(['dx'])).dx, (x) => derivative(f, x))).toBeLessThan(3.3);
  });
});
