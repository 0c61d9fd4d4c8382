import { describe, expect, it } from 'vitest';
import type { Buffer } from '../../../src/backends/backend.ts';
import { labelCondition } from '../../../src/models/model.ts';
import { adamwDefaults, adamwGroups } from '../../../src/optim/adamw.ts';
import { affine, assign, reciprocal } from '../../../src/ops/index.ts';
import { trace } from '../../../src/program/index.ts';
import type { HostArray } from '../../../src/tensor/dtype.ts';
import { type CompiledStep, compileStep } from '../../../src/train/compiled-step.ts';
import { randomDraw } from '../../../src/train/draw.ts';
import { explainNonFinite } from '../../../src/train/monitor/non-finite.ts';
import { initializeState } from '../../../src/train/state.ts';
import { testBackends } from '../../support/backends.ts';
import { tinyDiT } from '../../support/models.ts';
import { randomValues } from '../../support/random.ts';
import { StepPrograms } from '../../../src/train/step-programs.ts';
import { velocityTask } from '../../../src/train/velocity-task.ts';

const batch = 4;
const model = tinyDiT();

const inputs = (): Record<string, HostArray> => ({
  x0: Float32Array.from(randomValues(batch * 192, 2)),
  labels: Int32Array.of(0, 1, 2, 0),
  learningRate: Float32Array.of(1e-3),
  emaWeight: Float32Array.of(0.25),
  step: Int32Array.of(1),
  firstSample: Int32Array.of(0),
  update: Int32Array.of(1),
});

describe.each(testBackends().filter(({ label }) => /reference|portable|avx2$/.test(label)))(
  'what is not finite, on $label',
  ({ create, skip }) => {
    const newStep = async (
      precision: 'fp32' | 'bf16' = 'fp32',
    ): Promise<{ executable: CompiledStep; buffers: ReadonlyMap<string, Buffer> }> => {
      const backend = create(precision);
      const draw = randomDraw({
        seed: 1,
        times: { kind: 'uniform' },
        labelDropout: 0,
        conditions: labelCondition(3),
      });
      const task = velocityTask({ model, draw });
      const programs = new StepPrograms({ task, batch, optimizers: adamwGroups(adamwDefaults) });
      const { step, buffers } = await compileStep(backend, programs, {
        microBatch: batch,
        fill: (state) => initializeState(backend, model, state, 1),
      });
      return { executable: step, buffers };
    };
    const change = async (buffer: Buffer, index: number, value: number): Promise<void> => {
      const values = await buffer.read();
      values[index] = value;
      await buffer.write(values);
    };
    const read = async (buffers: ReadonlyMap<string, Buffer>): Promise<Record<string, HostArray>> =>
      Object.fromEntries(
        await Promise.all(
          Array.from(buffers, async ([name, buffer]) => [name, await buffer.read()] as const),
        ),
      );

    it.skipIf(skip).each(['fp32', 'bf16'] as const)(
      'is found in the forward pass (%s), with its layer, and changes nothing',
      async (precision) => {
        const { executable, buffers } = await newStep(precision);
        await buffers
          .get('blocks.1.mlp.fc1.weight')!
          .write(new Float32Array(64 * 16).map((_, i) => (i % 2 ? 3e38 : 2e38)));
        // The block is skipped by its gate, which is zero in a new model.
        await buffers.get('blocks.1.adaLN_modulation.1.bias')!.write(Float32Array.from(randomValues(96, 3)));
        const before = await read(buffers);
        const text = await explainNonFinite(executable, inputs());
        expect(text).toMatch(
          /^The first bad value is in the forward pass, where \w+ (of|after) .*blocks\.1\.mlp\.fc1\.\w+.* makes (float32|bfloat16) \[(4, 6|24), 64\]: .*infinity \d+ times among 1536 numbers, in all samples of the batch\. All that it reads is finite, with magnitudes up to [23]\.\d\de\+38\.$/,
        );
        expect(await read(buffers)).toEqual(before);
      },
    );

    it.skipIf(skip)('is found in the backward pass', async () => {
      const { executable, buffers } = await newStep();
      // The velocity is zero, far from what it should be: the gradient of what the last layer reads is beyond float32.
      const last = buffers.get('final_layer.linear.weight')!;
      await last.write(new Float32Array(32 * 16).fill(3e38));
      await buffers
        .get('final_layer.adaLN_modulation.1.bias')!
        .write(new Float32Array(32).map((_, i) => (i < 16 ? 0 : -1)));
      await buffers.get('final_layer.adaLN_modulation.1.weight')!.write(new Float32Array(32 * 16));
      const x0 = inputs()['x0']!.map((value) => 1e4 * value);
      const text = await explainNonFinite(executable, { ...inputs(), x0 });
      expect(text).toMatch(/^The first bad value is in the backward pass, where /);
      expect(text).toMatch(/final_layer\.linear\.weight/);
    });

    it.skipIf(skip)('is named where the data hold it, by sample', async () => {
      const { executable } = await newStep();
      const x0 = inputs()['x0']!;
      x0[3 * 192 + 5] = NaN;
      x0[3 * 192 + 9] = NaN;
      expect(await explainNonFinite(executable, { ...inputs(), x0 })).toBe(
        'The data hold NaN 2 times among 768 numbers, in sample 3 of the batch (counted from 0).',
      );
    });

    it.skipIf(skip)('is named where a weight held it before', async () => {
      const { executable, buffers } = await newStep();
      await change(buffers.get('blocks.0.attn.qkv.weight')!, 7, Infinity);
      expect(await explainNonFinite(executable, inputs())).toBe(
        'The weight blocks.0.attn.qkv.weight held infinity once among 768 numbers before the step already.',
      );
    });

    it.skipIf(skip)('is named where only a moment holds it', async () => {
      const { executable, buffers } = await newStep();
      await change(buffers.get('adamw.v/x_embedder.proj.bias')!, 0, NaN);
      expect(await explainNonFinite(executable, inputs())).toBe(
        'The second moment of x_embedder.proj.bias held NaN once among 16 numbers before the step already.',
      );
    });

    it.skipIf(skip)('is named where only the square of the norm is beyond float32', async () => {
      const { executable, buffers } = await newStep();
      const last = buffers.get('final_layer.linear.weight')!;
      await last.write((await last.read()).map((_, i) => (i % 7) * 1e13));
      const text = await explainNonFinite(executable, inputs());
      expect(text).toMatch(
        /^The first bad value is in the backward pass, where square .* infinity once among 1 number\./,
      );
      await executable.run(inputs());
      const { gradNorm, counts } = await executable.read(['gradNorm', 'counts']);
      expect(gradNorm[0]).toBeLessThan(Infinity);
      expect(counts[0]).toBe(0);
    });

    it.skipIf(skip)('is nothing in a healthy step, which can be run afterwards as ever', async () => {
      const { executable, buffers } = await newStep();
      const other = await newStep();
      expect(await explainNonFinite(executable, inputs())).toBeUndefined();
      await executable.run(inputs());
      await other.executable.run(inputs());
      expect(await read(buffers)).toEqual(await read(other.buffers));
      expect((await executable.read(['loss'])).loss).toEqual((await other.executable.read(['loss'])).loss);
    });

    it.skipIf(skip)('is no infinity that is lost again, and nothing after a change of state', async () => {
      const program = trace('lost', (graph) => {
        const x = graph.input('x', [2]);
        const total = graph.stateful('total', [2]);
        const kept = reciprocal(affine(reciprocal(x), 1, 0));
        assign(total, kept);
        return { loss: reciprocal(total), kept };
      });
      const backend = create('fp32');
      const total = backend.allocate({ shape: [2], dtype: 'float32' });
      const executable = await backend.compile(program, new Map([['total', total]]));
      expect(await executable.inspect({ x: Float32Array.of(0, 1) })).toBeUndefined();
      expect(await total.read()).toEqual(Float32Array.of(0, 0));
    });
  },
);
