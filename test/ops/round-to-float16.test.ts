import { describe, expect, it } from 'vitest';
import { cast, roundToFloat16, sum } from '../../src/ops/index.ts';
import { grad, trace } from '../../src/program/index.ts';
import { fromHalfBits, toHalfBits } from '../../src/tensor/half.ts';
import { testBackends } from '../support/backends.ts';
import { conformance } from '../support/conformance.ts';

conformance(
  'roundToFloat16',
  [[1], [31], [4, 33], [3, 67, 257]].flatMap((shape) =>
    [1e-7, 1, 1e4].map((scale) => ({ inputs: [{ shape, value: (u: number) => scale * u }] })),
  ),
  { steps: [0] },
);

const fromBits = (bits: Uint16Array): Float32Array => fromHalfBits('float16', bits);

/** The neighbours of a float32 that is not zero, towards and away from zero. */
function neighbours(value: number): [number, number] {
  const bits = new Int32Array(Float32Array.of(value).buffer)[0]!;
  const [below, above] = new Float32Array(Int32Array.of(bits - 1, bits + 1).buffer);
  return [below!, above!];
}

/** Every float16, the middle between it and the next, and the float32 just before and after that. */
function everyCase(): Float32Array {
  const halves = fromBits(Uint16Array.from({ length: 0x10000 }, (_, i) => i));
  const middles: number[] = [];
  for (let i = 0; i < 0x7c00; i++) {
    // What would be the next after the largest is 2^16.
    const middle = (halves[i]! + Math.min(halves[i + 1]!, 2 ** 16)) / 2;
    for (const value of [middle, ...neighbours(middle)]) middles.push(value, -value);
  }
  return Float32Array.from([...halves, ...middles, 2 ** -126, 1e-40, 3e38, -3e38]);
}

describe('roundToFloat16', () => {
  const values = everyCase();
  const program = trace('round', (graph) => ({ y: roundToFloat16(graph.input('x', [values.length])) }));

  for (const { label, create, skip } of testBackends()) {
    it.skipIf(skip !== undefined)(
      `gives the bits of every float16, and of all between, on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
      async () => {
        const executable = await create().compile(program, new Map());
        await executable.run({ x: values });
        expect((await executable.read(['y'])).y).toEqual(fromBits(toHalfBits('float16', values)));
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
