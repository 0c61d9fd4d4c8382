import { expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { RotaryTables, rotate } from '../../src/nn/rotary.ts';
import { trace } from '../../src/program/index.ts';
import { randomValues } from '../support/random.ts';

/** One token of a 2 x 3 grid, one head of 8 features, turned by the definition. */
function turned(x: readonly number[], row: number, column: number): number[] {
  const angles = [row, row / 100, column, column / 100];
  return angles.flatMap((angle, pair) => {
    const [a, b] = [x[2 * pair]!, x[2 * pair + 1]!];
    return [a * Math.cos(angle) - b * Math.sin(angle), b * Math.cos(angle) + a * Math.sin(angle)];
  });
}

it('pairs of neighbours turn with the row in the first half of a head, with the column in the second', async () => {
  const tables = new RotaryTables(8, 2, { kind: 'grid' });
  const program = trace('rotate', (graph) => {
    const x = graph.input('x', [1, 6, 16]);
    return { y: rotate(x, tables.of(2, 3, x)) };
  });
  const x = [...randomValues(96, 1)];
  const executable = await referenceBackend().compile(program, new Map());
  await executable.run({ x: Float32Array.from(x) });
  const { y } = await executable.read(['y']);
  const wanted = Array.from({ length: 12 }, (_, i) => {
    const token = Math.floor(i / 2);
    return turned(x.slice(8 * i, 8 * i + 8), Math.floor(token / 3), token % 3);
  }).flat();
  wanted.forEach((value, i) => expect(y![i]).toBeCloseTo(value, 5));
});

it('files have each angle for both features of its pair, and are known in any grid', () => {
  const tables = new RotaryTables(8, 2, { kind: 'grid' });
  const [cos, sin] = tables.inFiles(2, 3);
  expect([cos!.name, sin!.name]).toEqual(['feat_rope.freqs_cos', 'feat_rope.freqs_sin']);
  expect(sin!.shape).toEqual([6, 8]);
  // Row 1, column 2.
  const last = [1, 1, 0.01, 0.01, 2, 2, 0.02, 0.02];
  expect(sin!.values().slice(40)).toEqual(Float32Array.from(last, Math.sin));
  expect(cos!.values().slice(40)).toEqual(Float32Array.from(last, Math.cos));
  const [, other] = tables.inFiles(3, 4);
  expect(sin!.matches(other!.values(), [12, 8], 1e-6)).toBe(true);
  expect(cos!.matches(other!.values(), [12, 8], 1e-6)).toBe(false);
  expect(sin!.matches(other!.values(), [6, 16], 1e-6)).toBe(false);
  expect(sin!.matches(other!.values(), [12, 8, 1], 1e-6)).toBe(false);
  // What follows a table is none of it.
  expect(sin!.matches(Float32Array.of(...sin!.values(), ...sin!.values()), [6, 16], 1e-6)).toBe(false);
});

it('positions that are stretched turn by as much as those of the base', () => {
  const stretched = new RotaryTables(8, 2, { kind: 'stretched', base: [2, 3] });
  const [, large] = stretched.inFiles(4, 6);
  const [, small] = stretched.inFiles(2, 3);
  // Row 2, column 4 lies where row 1, column 2 did.
  expect(large!.values().slice(16 * 8, 17 * 8)).toEqual(small!.values().slice(5 * 8));
});
