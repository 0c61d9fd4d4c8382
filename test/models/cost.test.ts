import { expect, it } from 'vitest';
import { velocityProgram } from '../support/velocity-program.ts';
import { costPerImage } from '../../src/models/cost.ts';
import { costOf } from '../../src/models/model.ts';
import { ExpressionDiT } from '../../src/models/expression-dit.ts';
import { presets } from '../../src/models/presets.ts';
import { type Program, lower } from '../../src/program/index.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { givenDraw } from '../../src/train/draw.ts';
import { gradientProgram } from '../../src/train/loss.ts';
import { tinyDiT, tinyTextDiT } from '../support/models.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';

/** Two operations for each multiplication of every matrix product that the program decomposes into. */
function countProducts(program: Program): number {
  const decomposed = lower(program, 'count', ({ kind }) => kind === 'primitive');
  return decomposed.nodes.reduce((total, { op, inputs, outputs, attributes }) => {
    if (op.name !== 'matmul') return total;
    const inner = inputs[0]!.shape.at(attributes.transposeA ? -2 : -1)!;
    return total + 2 * sizeOf(outputs[0]!.shape) * inner;
  }, 0);
}

it.each([{}, { norm: 'rms', qkNorm: 'layer', mlp: 'swiglu', rotary: true, shifts: false }] as const)(
  'counts the products that the programs are made of, with %j',
  (parts) => {
    const model = tinyDiT({ depth: 3, ...parts });
    const { forward, training } = costPerImage(model.config);
    expect(countProducts(velocityProgram(model, 5, false))).toBe(5 * forward);
    expect(countProducts(gradientProgram({ task: velocityTask({ model, draw: givenDraw }), batch: 5 }))).toBe(
      5 * training,
    );
  },
);

it('counts those of a model of genes, zeros that fill up the last group included', () => {
  const sizes = { width: 16, depth: 2, heads: 2, groupSize: 3, genes: 7, classes: 2 };
  const model = new ExpressionDiT(sizes);
  expect(countProducts(velocityProgram(model, 5, false))).toBe(5 * model.cost.forward);
  expect(countProducts(gradientProgram({ task: velocityTask({ model, draw: givenDraw }), batch: 5 }))).toBe(
    5 * model.cost.training,
  );
});

it('is what the formulas per block say', () => {
  const shape = { ...presets.S, patchSize: 4, channels: 1, imageSize: [64, 32], classes: 10 } as const;
  const [D, N] = [384, 128];
  const more = costPerImage({ ...shape, depth: 13 });
  const less = costPerImage({ ...shape, depth: 12 });
  expect(more.forward - less.forward).toBe(24 * D ** 2 * N + 4 * N ** 2 * D + 12 * D ** 2);
  expect(more.training - less.training).toBe(72 * D ** 2 * N + 14 * N ** 2 * D + 36 * D ** 2);
});

const embedded = { kind: 'embeddings', length: 5, width: 6 } as const;

it.each([
  ['tokens', tinyTextDiT({ depth: 3 })],
  [
    'embeddings',
    tinyTextDiT({ text: { ...embedded, empty: { embeddings: Array(6).fill(0), pooled: Array(6).fill(0) } } }),
  ],
])('counts the products of a model that is told captions as %s', (_, model) => {
  const { forward, training } = costOf(model);
  expect(countProducts(velocityProgram(model, 5, false))).toBe(5 * forward);
  expect(countProducts(gradientProgram({ task: velocityTask({ model, draw: givenDraw }), batch: 5 }))).toBe(
    5 * training,
  );
});
