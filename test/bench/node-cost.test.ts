import { expect, it } from 'vitest';
import { describeOperands, nodeCost } from '../../bench/node-cost.ts';
import { conv2d, mul, sum } from '../../src/ops/index.ts';
import { type Program, grad, mixedPrecision, trace } from '../../src/program/index.ts';
import { costOf } from '../../src/models/model.ts';
import { createModel } from '../../src/train/create-model.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { givenDraw } from '../../src/train/draw.ts';
import { runProgram } from '../../src/train/run-program.ts';
import { gradientProgram } from '../../src/train/loss.ts';
import { tinyTextDiT } from '../support/models.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';

const config = resolveConfig({
  data: { source: 'custom' },
  model: { width: 16, depth: 2, heads: 2, patchSize: 4, channels: 2, imageSize: [8, 12], classes: 3 },
  train: { batchSize: 5 },
});
const program = runProgram(config, createModel(config.model));

it('the products of a training step add up to what the model is said to cost', () => {
  const total = ({ nodes }: Program): number =>
    nodes.reduce((all, node) => all + nodeCost(node).operations, 0);
  expect(total(program)).toBe(5 * costOf(createModel(config.model)).training);
  const model = tinyTextDiT();
  expect(total(gradientProgram({ task: velocityTask({ model, draw: givenDraw }), batch: 5 }))).toBe(
    5 * costOf(model).training,
  );
});

it('bytes are those of all tensors, twice for those that are changed in place', () => {
  const nodes = mixedPrecision(program, 'bfloat16').nodes;
  const qkv = nodes.find(({ op, inputs }) => op.name === 'attention' && inputs.length === 1)!;
  expect(describeOperands(qkv)).toBe('bf16 [5, 6, 48]');
  expect(nodeCost(qkv).bytes).toBe(2 * 5 * 6 * 48 + 2 * 5 * 6 * 16 + 4 * 5 * 2 * 6);
  const update = nodes.find(({ op, inputs }) => op.name === 'adamw' && inputs[0]!.shape[0] === 48)!;
  expect(describeOperands(update)).toBe('f32 [48, 16]');
  expect(describeOperands({ inputs: [...qkv.inputs, ...update.inputs] }, 1)).toBe('bf16 [5, 6, 48], ...');
  expect(nodeCost(update).bytes).toBe(7 * 4 * 48 * 16 + 4 * 4);
});

it('a convolution costs a product of its kernel with every window, forward and for each gradient', () => {
  const { nodes } = trace('convolution', (graph) => {
    const [x, w] = [graph.input('x', [2, 3, 9, 11]), graph.input('w', [7, 3, 3, 3])];
    const y = conv2d(x, w, undefined, { stride: 2, padding: 1 });
    const [dx, dw] = grad(sum(mul(y, y)), [x, w]);
    return { dx: dx!, dw: dw! };
  });
  const costs = nodes.map((node) => nodeCost(node).operations).filter((cost) => cost > 0);
  const windows = 2 * 5 * 6;
  expect(costs).toEqual([1, 2, 3].map(() => 2 * windows * 7 * 3 * 9));
});
