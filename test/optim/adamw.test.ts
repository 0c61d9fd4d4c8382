import { expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { type DecayedParameters, adamwDefaults, adamwGroups } from '../../src/optim/adamw.ts';
import { optimizerOf } from '../../src/optim/optimizer.ts';
import { trace } from '../../src/program/index.ts';
import { updateScalars } from '../support/update.ts';

it.each<[DecayedParameters | undefined, number, number]>([
  [undefined, 0.95, 0.95],
  ['all', 0.95, 0.95],
  ['matrices', 0.95, 1],
])('weight decay of %s makes a matrix of ones %d and a bias %d', async (decayed, matrix, bias) => {
  const backend = referenceBackend();
  const program = trace('update', (graph) => {
    const groups = adamwGroups({ ...adamwDefaults, weightDecay: 0.5 }, decayed);
    const scalars = updateScalars(graph);
    for (const [i, shape] of [[2, 3], [3]].entries()) {
      const slots = { m: graph.stateful(`m${i}`, shape), v: graph.stateful(`v${i}`, shape) };
      const [param, grad] = [graph.stateful(`param${i}`, shape), graph.input(`grad${i}`, shape)];
      optimizerOf(groups, { name: `param${i}`, shape }).update({ param, grad, slots }, scalars);
    }
    return {};
  });
  const state = new Map(program.state.map((tensor) => [tensor.name!, backend.allocate(tensor)]));
  await state.get('param0')!.write(new Float32Array(6).fill(1));
  await state.get('param1')!.write(new Float32Array(3).fill(1));
  const executable = await backend.compile(program, state);
  await executable.run({
    grad0: new Float32Array(6),
    grad1: new Float32Array(3),
    gradScale: Float32Array.of(1),
    learningRate: Float32Array.of(0.1),
    update: Int32Array.of(1),
    counts: Int32Array.of(1),
  });
  expect((await state.get('param0')!.read())[5]).toBeCloseTo(matrix, 6);
  expect((await state.get('param1')!.read())[2]).toBeCloseTo(bias, 6);
});
