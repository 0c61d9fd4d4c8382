import { describe, expect, it } from 'vitest';
import type { Backend, Buffers } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { labelCondition } from '../../src/models/model.ts';
import { add, affine, assign, cast, lerpAssign, mul } from '../../src/ops/index.ts';
import { adamwDefaults, adamwGroups } from '../../src/optim/adamw.ts';
import { type Optimizer, type ParameterGroup, optimizerOf } from '../../src/optim/optimizer.ts';
import { fuse, trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { type CompiledTraining, compileStep } from '../../src/train/compiled-step.ts';
import { randomDraw } from '../../src/train/draw.ts';
import { Insight } from '../../src/train/insight.ts';
import { initializeState } from '../../src/train/state.ts';
import { stateLabels, trainingStepProgram } from '../../src/train/step.ts';
import { StepPrograms } from '../../src/train/step-programs.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';
import { float32Backends } from '../support/backends.ts';
import { tinyDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';
import { updateScalars } from '../support/update.ts';

const model = tinyDiT({ depth: 1 });
const batch = 4;

/** Gradient descent with momentum (Polyak 1964), as somebody's program might bring it: nothing of it is known elsewhere. */
const momentum: Optimizer = {
  name: 'momentum',
  slots: [{ name: 'velocity', label: 'velocity' }],
  update({ param, grad, slots }, { gradScale, learningRate, counts }) {
    const counted = cast(counts, 'float32');
    const velocity = add(affine(slots['velocity']!, 0.9, 0), mul(grad, gradScale));
    const kept = affine(counted, -1, 1);
    assign(param, add(param, mul(affine(velocity, -1, 0), mul(learningRate, counted))));
    assign(slots['velocity']!, add(mul(velocity, counted), mul(slots['velocity']!, kept)));
  },
  retrace: {
    scalars: () => ({}),
    direction: (_param, { velocity }) => velocity!,
    multiple: (_update, learningRate) => learningRate,
  },
};

const isMatrix: ParameterGroup['has'] = ({ shape }) => shape.length >= 2;
const groups = [{ optimizer: momentum, has: isMatrix }, ...adamwGroups(adamwDefaults)];

const task = velocityTask({
  model,
  draw: randomDraw({ seed: 3, times: { kind: 'uniform' }, labelDropout: 0, conditions: labelCondition(3) }),
});

function inputs(step: number): Record<string, HostArray> {
  return {
    x0: Float32Array.from(randomValues(batch * 192, 1)),
    labels: Int32Array.from({ length: batch }, (_, i) => i % 3),
    // The same noise and times at each step, so that the loss falls steadily.
    step: Int32Array.of(1),
    firstSample: Int32Array.of(0),
    update: Int32Array.of(step),
    learningRate: Float32Array.of(1e-2),
    emaWeight: Float32Array.of(0.25),
  };
}

function compiled(backend: Backend): Promise<CompiledTraining> {
  const programs = new StepPrograms({ task, batch, optimizers: groups });
  const fill = (buffers: Buffers): Promise<void> => initializeState(backend, model, buffers, 1);
  return compileStep(backend, programs, { microBatch: batch, fill });
}

describe('groups of parameters', () => {
  it('have an optimizer each, with slots of its own', async () => {
    const { step, buffers } = await compiled(referenceBackend());
    for (const spec of model.parameters) {
      expect(buffers.has(`momentum.velocity/${spec.name}`)).toBe(isMatrix(spec));
      expect(buffers.has(`adamw.m/${spec.name}`)).toBe(!isMatrix(spec));
    }
    const losses: number[] = [];
    for (let i = 1; i <= 20; i++) {
      await step.run(inputs(i));
      losses.push((await step.read(['loss'])).loss[0]!);
    }
    expect(losses.at(-1)! / losses[0]!).toBeLessThan(0.95);
  });

  it('are asked how far they moved the weights', async () => {
    const backend = referenceBackend();
    const { step, buffers } = await compiled(backend);
    const insight = await Insight.compile(backend, buffers, model, groups);
    const weights = async (): Promise<number[]> => {
      const all: number[] = [];
      for (const { name } of model.parameters) all.push(...(await buffers.get(name)!.read()));
      return all;
    };
    await step.run(inputs(1));
    const before = await weights();
    await step.run(inputs(2));
    const after = await weights();
    const { updateRatio } = await insight.measure(2, 1e-2);
    const moved = Math.hypot(...after.map((x, i) => x - before[i]!)) / Math.hypot(...after);
    expect(updateRatio / moved).toBeCloseTo(1, 3);
  });

  it('say in words what they keep', () => {
    const labels = stateLabels({ task, optimizers: groups });
    expect(labels.get('momentum.velocity/blocks.0.attn.qkv.weight')).toBe(
      'velocity of blocks.0.attn.qkv.weight',
    );
    expect(labels.get('adamw.v/blocks.0.attn.qkv.bias')).toBe('second moment of blocks.0.attn.qkv.bias');
  });

  it('must have every parameter', () => {
    expect(() => optimizerOf([{ optimizer: momentum, has: isMatrix }], { name: 'bias', shape: [3] })).toThrow(
      'optimizer: groups must be such that one has bias, got none that does',
    );
  });
});

for (const { label, create, skip } of float32Backends()) {
  it.skipIf(skip !== undefined)(`AdamW and the main average are one pass on ${label}`, () => {
    const training = { task, batch, optimizers: adamwGroups(adamwDefaults), averages: ['long'] };
    const program = create().lower(trainingStepProgram(training));
    const count = (name: string): number => program.nodes.filter(({ op }) => op.name === name).length;
    const trained = model.parameters.length;
    const isFused = label !== 'reference';
    expect(count('adamwAverage')).toBe(isFused ? trained : 0);
    expect(count('adamw')).toBe(isFused ? 0 : trained);
    expect(count('lerpAssign')).toBe(isFused ? trained : 2 * trained);
  });
}

it('an average that follows another flag than the update is not joined with it', () => {
  const program = trace('apart', (graph) => {
    const [param, m, v, average] = ['w', 'm', 'v', 'average'].map((name) => graph.stateful(name, [4]));
    const scalars = updateScalars(graph);
    const slots = { m: m!, v: v! };
    adamwGroups(adamwDefaults)[0]!.optimizer.update(
      { param: param!, grad: graph.input('grad', [4]), slots },
      scalars,
    );
    lerpAssign(average!, param!, graph.input('weight', []), graph.input('other', [], 'int32'));
    return {};
  });
  const joined = fuse(program, () => true);
  expect(joined.nodes.map(({ op }) => op.name)).toEqual(['adamw', 'lerpAssign']);
});
