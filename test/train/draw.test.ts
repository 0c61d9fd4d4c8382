import { expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConditionSpec } from '../../src/models/model.ts';
import { trace } from '../../src/program/index.ts';
import { randomDraw } from '../../src/train/draw.ts';

const batch = 64;
const specs: readonly ConditionSpec[] = [
  { name: 'tokens', shape: [2], dtype: 'int32', absent: [7, 8], limit: 9 },
  { name: 'length', shape: [], dtype: 'int32', absent: [1], limit: 3 },
];

it('what is told of a sample is dropped as a whole', async () => {
  const draw = randomDraw({ seed: 3, times: { kind: 'uniform' }, labelDropout: 0.5, conditions: specs });
  const program = trace('draw', (graph) => {
    const conditions = Object.fromEntries(
      specs.map(({ name, shape, dtype }) => [name, graph.input(name, [batch, ...shape], dtype)]),
    );
    const x0 = graph.input('x0', [batch, 1]);
    const [step, index] = ['step', 'firstSample'].map((name) => graph.input(name, [], 'int32'));
    return { ...draw({ x0, conditions, step: step!, firstSample: () => index! }).conditions };
  });
  const executable = await referenceBackend().compile(program, new Map());
  await executable.run({
    tokens: new Int32Array(2 * batch).fill(5),
    length: new Int32Array(batch).fill(2),
    x0: new Float32Array(batch),
    step: Int32Array.of(1),
    firstSample: Int32Array.of(0),
  });
  const tokens = (await executable.read(['tokens'])).tokens;
  const lengths = (await executable.read(['length'])).length;
  const rows = Array.from(lengths, (length, i) => [tokens[2 * i], tokens[2 * i + 1], length].join(' '));
  expect(new Set(rows)).toEqual(new Set(['5 5 2', '7 8 1']));
  const dropped = rows.filter((row) => row === '7 8 1').length;
  expect(Math.abs(dropped - batch / 2)).toBeLessThan(batch / 4);
});
