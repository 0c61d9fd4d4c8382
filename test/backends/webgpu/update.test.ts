// All parameters of a model are updated in few dispatches, and the device's clock says how long each node takes.
import { describe, expect, it } from 'vitest';
import { backendOn } from '../../../src/backends/webgpu/index.ts';
import { adamw, globalNorm, lerpAssign, mul } from '../../../src/ops/index.ts';
import { type Program, isWork, trace } from '../../../src/program/index.ts';
import { sizeOf } from '../../../src/tensor/shape.ts';
import { allocateState } from '../../../src/train/state.ts';
import { testGpu } from '../../support/gpu.ts';

const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };
const shapes = [[3, 5], [70], [8, 9], [1]] as const;

/** AdamW and an average of each parameter, one after the other, with the norm of all gradients. */
function update(): Program {
  return trace('update', (graph) => {
    const [scale, rate] = [graph.input('scale', []), graph.input('rate', [])];
    const [step, counts] = [graph.input('step', [], 'int32'), graph.input('counts', [], 'int32')];
    const params = shapes.map((shape, i) => graph.stateful(`w${i}`, shape));
    const gradients = params.map((param, i) => mul(param, graph.input(`x${i}`, shapes[i]!)));
    const norm = globalNorm(gradients);
    params.forEach((param, i) => {
      const [m, v] = ['m', 'v'].map((name) => graph.stateful(`${name}${i}`, shapes[i]!));
      const scalars = { gradScale: scale, learningRate: rate, step, counts };
      adamw({ param, grad: gradients[i]!, m: m!, v: v!, ...scalars }, settings);
      lerpAssign(graph.stateful(`average${i}`, shapes[i]!), param, rate, counts);
    });
    return { norm };
  });
}

const inputs = {
  scale: Float32Array.of(1),
  rate: Float32Array.of(0.1),
  step: Int32Array.of(1),
  counts: Int32Array.of(1),
  ...Object.fromEntries(shapes.map((shape, i) => [`x${i}`, new Float32Array(sizeOf(shape)).fill(1)])),
};

describe.skipIf(testGpu.skip)(
  `an update on WebGPU${testGpu.skip ? ` (skipped: ${testGpu.skip})` : ''}`,
  () => {
    it('of neighbours is one dispatch, whose scalars are one more, and so is the norm of their gradients', async () => {
      const backend = backendOn(testGpu.gpu!);
      const program = update();
      const executable = await backend.compile(program, allocateState(backend, program));
      // A gradient each; what all have a share in, and the sum of the shares; the scalars; the update.
      expect(executable.dispatches).toBe(shapes.length + 2 + 1 + 1);
    });

    it('changes each of them as AdamW says', async () => {
      const backend = backendOn(testGpu.gpu!);
      const program = update();
      const state = allocateState(backend, program);
      const executable = await backend.compile(program, state);
      for (const [name, buffer] of state)
        if (name.startsWith('w')) await buffer.write(new Float32Array(sizeOf(buffer.shape)).fill(0.5));
      await executable.run(inputs);
      const { norm } = await executable.read(['norm']);
      const count = shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);
      expect(norm[0]).toBeCloseTo(Math.sqrt(count * 0.25), 5);
      // The first step of AdamW goes as far as the rate says, against the sign of the gradient.
      for (const [name, buffer] of state) {
        const wanted = { w: 0.5 * (1 - 0.1 * 0.1) - 0.1, m: 0.05, v: 0.00025, a: 0.1 * (0.5 * 0.99 - 0.1) }[
          name[0]!
        ]!;
        for (const value of await buffer.read()) expect(value).toBeCloseTo(wanted, 5);
      }
    });

    it('is timed node by node by the clock of the device, and computes what a run does', async () => {
      const backend = backendOn(testGpu.gpu!);
      const program = update();
      const state = allocateState(backend, program);
      const executable = await backend.compile(program, state);
      await state.get('w0')!.write(new Float32Array(15).fill(2));
      const { nodes, ops, runs } = await executable.profile(inputs);
      expect(runs).toBe(1);
      // What is joined counts for the first of its nodes.
      const work = executable.program.nodes.filter(isWork);
      expect(nodes.map(({ node }) => node)).toEqual(
        work.slice(0, work.findIndex(({ op }) => op.name === 'adamwAverage') + 1),
      );
      expect(nodes.every(({ milliseconds }) => milliseconds >= 0)).toBe(true);
      expect(nodes.reduce((sum, { milliseconds }) => sum + milliseconds, 0)).toBeGreaterThan(0);
      expect(ops.find(({ op }) => op === 'mul')!.nodes).toBe(shapes.length);
      expect((await executable.read(['norm'])).norm[0]).toBeCloseTo(Math.sqrt(15 * 4), 4);
    });
  },
);
