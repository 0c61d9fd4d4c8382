import { describe, expect, it } from 'vitest';
import type { Buffers } from '../../src/backends/backend.ts';
import { adamwGroups } from '../../src/optim/adamw.ts';
import { bytesOf } from '../../src/program/index.ts';
import { blockOf, blocksOf } from '../../src/train/blocks.ts';
import { givenDraw } from '../../src/train/draw.ts';
import { Insight, insightProgram } from '../../src/train/insight.ts';
import { allocateState, initializeState } from '../../src/train/state.ts';
import { gradientProgram } from '../../src/train/loss.ts';
import { trainingStepProgram } from '../../src/train/step.ts';
import { lossByTime } from '../../src/train/step-outputs.ts';
import { float32Backends } from '../support/backends.ts';
import { tinyDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';
import { outputsOf } from '../support/outputs.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';

const model = tinyDiT();
const trainable = model.parameters;
const adamw = { beta1: 0.9, beta2: 0.95, epsilon: 1e-3, weightDecay: 0.2 };
const learningRate = 0.05;
const batch = {
  x0: Float32Array.from(randomValues(4 * 192, 1)),
  x1: Float32Array.from(randomValues(4 * 192, 2)),
  t: Float32Array.of(0.1, 0.3, 0.35, 1),
  labels: Int32Array.of(1, 0, 2, 3),
};
const stepInputs = (step: number): Record<string, Float32Array | Int32Array> => ({
  ...batch,
  step: Int32Array.of(step),
  update: Int32Array.of(step),
  learningRate: Float32Array.of(learningRate),
  emaWeight: Float32Array.of(0.25),
});

/** All numbers of the trainable parameters, or of what is kept beside them. */
async function all(buffers: Buffers, prefix = ''): Promise<number[]> {
  const values: number[] = [];
  for (const { name } of trainable) values.push(...(await buffers.get(prefix + name)!.read()));
  return values;
}

const norm = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
const distance = (a: readonly number[], b: readonly number[]): number => norm(a.map((x, i) => x - b[i]!));

describe.each(['all', 'matrices'] as const)('with weight decay of %s', (decayed) => {
  for (const { label, create, skip } of float32Backends()) {
    it.skipIf(skip !== undefined)(
      `the state after a step tells what it did, on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
      async () => {
        const backend = create();
        const program = trainingStepProgram({
          task: velocityTask({ model, draw: givenDraw }),
          batch: 4,
          optimizers: adamwGroups(adamw, decayed),
        });
        const buffers = allocateState(backend, program);
        await initializeState(backend, model, buffers, 1);
        const executable = await backend.compile(program, buffers);
        const insight = await Insight.compile(backend, buffers, model, adamwGroups(adamw, decayed));
        for (const step of [1, 2, 3]) {
          const before = await all(buffers);
          await executable.run(stepInputs(step));
          const after = await all(buffers);
          const { updateRatio, emaDistance } = await insight.measure(step, learningRate);
          expect(updateRatio / (distance(before, after) / norm(after))).toBeCloseTo(1, 4);
          expect(emaDistance / (distance(await all(buffers, 'ema/'), after) / norm(after))).toBeCloseTo(1, 4);
          expect(await all(buffers)).toEqual(after);
        }
      },
    );
  }
});

it('needs little memory: what is made for a parameter is gone before the next', async () => {
  for (const { create, skip } of float32Backends()) {
    if (skip !== undefined) continue;
    const backend = create();
    const program = insightProgram(model, adamwGroups(adamw));
    const executable = await backend.compile(program, allocateState(backend, program));
    const largest = Math.max(...trainable.map(({ shape }) => bytesOf({ shape, dtype: 'float32' })));
    const scalars = 64 * 3 * trainable.length + 3 * 4 * trainable.length;
    expect(executable.plan.arenaBytes).toBeLessThan(3 * largest + 2 * scalars);
  }
});

describe('what a step puts out', () => {
  for (const { label, create, skip } of float32Backends()) {
    it.skipIf(skip !== undefined)(
      `adds up to its loss and its gradient norm, on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
      async () => {
        const backend = create();
        const program = trainingStepProgram({
          task: velocityTask({ model, draw: givenDraw }),
          batch: 4,
          optimizers: adamwGroups(adamw),
        });
        const buffers = allocateState(backend, program);
        await initializeState(backend, model, buffers, 1);
        const gradients = await backend.compile(
          gradientProgram({ task: velocityTask({ model, draw: givenDraw }), batch: 4 }),
          buffers,
        );
        await gradients.run({ ...batch, step: Int32Array.of(1) });
        const executable = await backend.compile(program, buffers);
        await executable.run(stepInputs(1));
        const outputs = await outputsOf(executable);
        const [loss] = outputs.get('loss')!;
        const [losses, times] = [outputs.get('losses')!, outputs.get('times')!];
        expect([...times]).toEqual([...batch.t]);
        const binned = lossByTime(losses, times);
        expect(binned[2]).toBeNull();
        expect((binned[0]! + 2 * binned[1]! + binned[3]!) / 4 / loss!).toBeCloseTo(1, 5);
        const norms = outputs.get('gradNorms')!;
        const made = await outputsOf(gradients);
        const blocks = blocksOf(model);
        expect(norms).toHaveLength(blocks.length);
        for (const [i, block] of blocks.entries()) {
          const values: number[] = [];
          for (const { name } of trainable)
            if (blockOf(name) === block) values.push(...made.get(`grad/${name}`)!);
          expect(norms[i]!).toBeCloseTo(norm(values), 4);
        }
        expect(Math.hypot(...norms) / outputs.get('gradNorm')![0]!).toBeCloseTo(1, 5);
      },
    );
  }

  it('is told by block', () => {
    expect(blocksOf(model)).toEqual([
      'x_embedder',
      't_embedder',
      'y_embedder',
      'blocks.0',
      'blocks.1',
      'final_layer',
    ]);
    expect(blockOf('text_encoder.blocks.11.mlp.fc1.weight')).toBe('text_encoder.blocks.11');
    expect(blockOf('decoder.up_blocks.1.upsamplers.0.conv.bias')).toBe('decoder.up_blocks.1');
    expect(blockOf('encoder.mid_block.resnets.0.norm1.weight')).toBe('encoder.mid_block');
    expect(blockOf('encoder.conv_in.weight')).toBe('encoder');
  });

  it('has no loss where no sample has been', () => {
    expect(lossByTime([1, 2, 6, 4], [0, 0.24, 0.5, 1])).toEqual([1.5, null, 6, 4]);
  });
});
