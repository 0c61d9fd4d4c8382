import { expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { cast, isFinite } from '../../src/ops/index.ts';
import { type Program, trace } from '../../src/program/index.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { float32Backends } from '../support/backends.ts';
import { conformance } from '../support/conformance.ts';

const largest = 3.4028234663852886e38;
// Neighbouring numbers that add up to infinity.
const cases = [[[]], [[1]], [[31], [4, 33], []], [[32], [1]], [[300, 257], [7]]].map((shapes) => ({
  inputs: shapes.map((shape) => ({ shape, value: () => largest })),
}));

conformance('isFinite', cases);

/** More than one chunk of a kernel, and ends that fill no vector. */
const shapes = [[31], [300, 257], [], [33]];
/** @param isHalf whether the backend has bfloat16: then it is told of that as well */
const programOf = (isHalf: boolean): Program =>
  trace('finite', (graph) => {
    const inputs = shapes.map((shape, i) => graph.input(`x${i}`, shape));
    const low = isHalf ? inputs.map((x) => cast(x, 'bfloat16')) : inputs;
    return { finite: isFinite(inputs), low: isFinite(low) };
  });
const subnormal = 2 ** -149;
/** All that is finite, at its extremes. */
const good = (): Record<string, Float32Array> =>
  Object.fromEntries(
    shapes.map((shape, i) => [
      `x${i}`,
      Float32Array.from({ length: sizeOf(shape) }, (_, j) => [1e38, -1e38, 0, -0, subnormal][j % 5]!),
    ]),
  );

for (const { label, create, skip, halves } of float32Backends()) {
  const title = `tells every NaN and infinity, wherever it is, on ${label}`;
  it.skipIf(skip !== undefined)(`${title}${skip ? ` (skipped: ${skip})` : ''}`, async () => {
    const executable = await create().compile(programOf(halves?.length !== 0), new Map());
    const flags = async (inputs: Record<string, Float32Array>): Promise<number[]> => {
      await executable.run(inputs);
      const { finite, low } = await executable.read(['finite', 'low']);
      return [finite[0]!, low[0]!];
    };
    expect(await flags(good())).toEqual([1, 1]);
    // NaN of every kind: quiet, signalling, and with either sign.
    const words = [0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff];
    for (const [i, shape] of shapes.entries()) {
      const last = sizeOf(shape) - 1;
      for (const place of new Set([0, last >> 1, Math.max(0, last - 1), last])) {
        for (const word of words) {
          const inputs = good();
          new Uint32Array(inputs[`x${i}`]!.buffer)[place] = word;
          expect([i, place, word, await flags(inputs)]).toEqual([i, place, word, [0, 0]]);
        }
      }
    }
    expect(await flags(good())).toEqual([1, 1]);
  });
}

it('in float64, what float32 cannot hold is finite', async () => {
  const wide = trace('wide', (graph) => ({ finite: isFinite([graph.input('x', [2])]) }));
  const executable = await referenceBackend({ float: 'float64' }).compile(wide, new Map());
  for (const [value, flag] of [
    [1e300, 1],
    [-Infinity, 0],
    [NaN, 0],
  ] as const) {
    await executable.run({ x: Float64Array.of(1, value) });
    expect([...(await executable.read(['finite'])).finite]).toEqual([flag]);
  }
});

it('names the argument that holds whole numbers', () => {
  const build = (): unknown =>
    trace('wrong', (graph) => ({
      finite: isFinite([graph.input('x', [2]), graph.input('n', [2], 'int32')]),
    }));
  expect(build).toThrow('isFinite: argument 1 must be a floating type, got int32');
});
