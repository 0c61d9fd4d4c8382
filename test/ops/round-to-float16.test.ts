import { describe, expect, it } from 'vitest';
import { cast, roundToFloat16, sum } from '../../src/ops/index.ts';
import { grad, trace } from '../../src/program/index.ts';
import { testBackends } from '../support/backends.ts';
import { conformance } from '../support/conformance.ts';
import { nearestFloat16, valuesAroundFloat16 } from '../support/float16-values.ts';

conformance(
  'roundToFloat16',
  [[1], [31], [4, 33], [3, 67, 257]].flatMap((shape) =>
    [1e-7, 1, 1e4].map((scale) => ({ inputs: [{ shape, value: (u: number) => scale * u }] })),
  ),
  { steps: [0] },
);

describe('roundToFloat16', () => {
  const values = valuesAroundFloat16();
  const program = trace('round', (graph) => ({ y: roundToFloat16(graph.input('x', [values.length])) }));

  for (const { label, create, skip } of testBackends()) {
    it.skipIf(skip !== undefined)(
      `gives the bits of every float16, and of all between, on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
      async () => {
        const executable = await create().compile(program, new Map());
        await executable.run({ x: values });
        expect((await executable.read(['y'])).y).toEqual(nearestFloat16(values));
      },
    );
  }

  it('passes its gradient on', async () => {
    const backward = trace('backward', (graph) => {
      const x = graph.input('x', [3]);
      return { dx: grad(sum(roundToFloat16(x)), [x])[0]! };
    });
    const executable = await testBackends()[0]!.create().compile(backward, new Map());
    await executable.run({ x: Float32Array.of(0.1, 0.2, 1e6) });
    expect([...(await executable.read(['dx'])).dx]).toEqual([1, 1, 1]);
  });

  it('is of float32', () => {
    const build = (): unknown =>
      trace('wrong', (graph) => ({ y: roundToFloat16(cast(graph.input('x', [2]), 'bfloat16')) }));
    expect(build).toThrow('roundToFloat16: x must be float32, got bfloat16');
  });
});
