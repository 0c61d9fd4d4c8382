import { describe, expect, it } from 'vitest';
import { cast } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { testBackends } from '../support/backends.ts';
import { conformance } from '../support/conformance.ts';
import { nearestFloat16, valuesAroundFloat16 } from '../support/float16-values.ts';

const sizes = [[1], [31], [4, 33], [3, 67, 257]];

conformance('cast', [
  ...sizes.map((shape) => ({ inputs: [{ shape }], attributes: { to: 0 } })),
  ...sizes.map((shape) => ({
    inputs: [{ shape, dtype: 'int32' as const, value: (u: number) => 50 * u }],
    attributes: { to: 0 },
  })),
  ...sizes.map((shape) => ({ inputs: [{ shape, value: (u: number) => 50 * u }], attributes: { to: 2 } })),
]);

describe.each(testBackends())('bfloat16 on $label', ({ create, skip }) => {
  it.skipIf(skip !== undefined)('is the nearest, and of two that are as near the even one', async () => {
    const step = 2 ** -7;
    const x = Float32Array.of(1 + step / 2, 1 + 1.5 * step, 1 + 0.5001 * step, -1 - 1.5 * step, 3.4e38, 0);
    const wanted = [1, 1 + 2 * step, 1 + step, -1 - 2 * step, Infinity, 0];
    const program = trace('rounded', (graph) => ({
      y: cast(cast(graph.input('x', [x.length]), 'bfloat16'), 'float32'),
    }));
    const executable = await create().compile(program, new Map());
    await executable.run({ x });
    expect(Array.from((await executable.read(['y'])).y)).toEqual(wanted);
  });
});

const withFloat16 = testBackends().filter(({ halves }) => halves?.includes('float16'));
describe.each(withFloat16)('float16 on $label', ({ create, skip }) => {
  it.skipIf(skip !== undefined)(
    'keeps the bits of every one, and is the nearest of all between',
    async () => {
      // An odd number, of which the last shares its word with nothing.
      const x = Float32Array.from([...valuesAroundFloat16(), 65504]);
      expect(x.length % 2).toBe(1);
      const program = trace('stored', (graph) => {
        const stored = cast(graph.input('x', [x.length]), 'float16');
        return { stored, read: cast(stored, 'float32') };
      });
      const executable = await create().compile(program, new Map());
      await executable.run({ x });
      const { stored, read } = await executable.read(['stored', 'read']);
      expect(read).toEqual(nearestFloat16(x));
      expect(Float32Array.from(stored)).toEqual(nearestFloat16(x));
    },
  );
});
