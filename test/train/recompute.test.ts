import { describe, expect, it } from 'vitest';
import { train } from '../../src/api/train.ts';
import type { Backend, Precision } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { DiT } from '../../src/models/dit.ts';
import { ExpressionDiT } from '../../src/models/expression-dit.ts';
import type { VelocityModel } from '../../src/models/model.ts';
import { type ActivationMemory, mixedPrecision, planMemory } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { createModel } from '../../src/train/create-model.ts';
import { givenDraw } from '../../src/train/draw.ts';
import { gradientProgram } from '../../src/train/loss.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { runProgram } from '../../src/train/run-program.ts';
import { float32Backends } from '../support/backends.ts';
import { temporaryFolder } from '../support/cli.ts';
import { randomWeights, tinyDiT, tinyTextDiT } from '../support/models.ts';
import { checkpointDigests, stripes, tinyStripes } from '../support/tiny-run.ts';
import { randomValues } from '../support/random.ts';
import { outputsOf } from '../support/outputs.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';

const batch = 3;
const models: Readonly<Record<string, VelocityModel>> = {
  dit: tinyDiT({ width: 24, heads: 3, depth: 3 }),
  'text-dit': tinyTextDiT(),
  'expression-dit': new ExpressionDiT({
    width: 16,
    depth: 2,
    heads: 2,
    groupSize: 3,
    genes: 7,
    classes: 3,
  }),
};

async function gradients(
  backend: Backend,
  model: VelocityModel,
  memory: ActivationMemory,
): Promise<{ values: Map<string, HostArray>; ops: number }> {
  const program = gradientProgram({ task: velocityTask({ model, draw: givenDraw }), batch, memory });
  const executable = await backend.compile(program, await randomWeights(backend, model));
  const inputs = program.inputs.map(({ name, shape, dtype }, i): [string, HostArray] => {
    const numbers = randomValues(sizeOf(shape), i);
    if (dtype === 'int32') return [name!, Int32Array.from(numbers, (value) => Math.abs(3 * value))];
    return [name!, Float32Array.from(numbers, name === 't' ? Math.abs : Number)];
  });
  await executable.run(Object.fromEntries(inputs));
  return { values: await outputsOf(executable), ops: executable.program.nodes.length };
}

const all: readonly Precision[] = ['fp32', 'bf16', 'fp16'];
/**
 * Shaders take long to compile: each of the two transformers in one precision, as their kernels are the same, and none in fp16, of which
 * the programs are those of bf16.
 */
const onWebGpu: Readonly<Record<string, readonly Precision[]>> = {
  dit: ['fp32'],
  'text-dit': ['bf16'],
  'expression-dit': ['fp32', 'bf16'],
};

describe('recomputation', () => {
  for (const [kind, model] of Object.entries(models)) {
    for (const { label, create, skip } of float32Backends()) {
      const precisions = label === 'webgpu' ? onWebGpu[kind]! : all;
      it.skipIf(skip !== undefined).each(precisions)(
        `leaves every bit of the gradients of ${kind} as it is on ${label} in %s${skip ? ` (skipped: ${skip})` : ''}`,
        async (precision) => {
          const kept = await gradients(create(precision), model, 'keep');
          const again = await gradients(create(precision), model, 'recompute');
          expect(again.ops).toBeGreaterThan(kept.ops);
          expect(again.values).toEqual(kept.values);
        },
      );
    }
  }

  it.each<[Precision, number]>([
    ['fp32', 4],
    ['bf16', 2.8],
  ])('in %s needs a fraction of the memory of a model of 8 blocks', (precision, factor) => {
    const sizes = { width: 64, depth: 8, heads: 4, patchSize: 2, channels: 3, classes: 0 };
    const model = new DiT({ ...sizes, imageSize: [32, 32] });
    const arena = (memory: ActivationMemory): number => {
      const program = gradientProgram({ task: velocityTask({ model, draw: givenDraw }), batch: 16, memory });
      return planMemory(precision === 'bf16' ? mixedPrecision(program, 'bfloat16') : program).arenaBytes;
    };
    expect(arena('keep') / arena('recompute')).toBeGreaterThan(factor);
  });

  it('is what train.memory asks for', () => {
    const repeats = (changes: ConfigInput['train']): boolean => {
      const config = resolveConfig({ ...tinyStripes, train: { ...tinyStripes.train, ...changes } });
      const program = runProgram(config, createModel(config.model));
      return program.nodes.some((node) => node.repeats !== undefined);
    };
    expect([repeats({}), repeats({ memory: 'keep' }), repeats({ memory: 'recompute' })]).toEqual([
      false,
      false,
      true,
    ]);
  });
});

describe('a run', () => {
  const filesOf = async (changes: ConfigInput['train']): Promise<unknown> => {
    const settings = { ...tinyStripes.train, steps: 3, ...changes };
    const config = { ...tinyStripes, model: { ...tinyStripes.model, depth: 2 }, train: settings };
    const backend = referenceBackend();
    const { run } = await train(config, { runs: await temporaryFolder(), source: stripes(), backend });
    return checkpointDigests(run, 3);
  };

  it.each([undefined, 2])(
    'saves the same bytes with recomputation, with micro-batches of %o',
    async (size) => {
      const microBatch = size === undefined ? {} : { microBatch: size };
      const kept = await filesOf({ memory: 'keep', ...microBatch });
      expect(await filesOf({ memory: 'recompute', ...microBatch })).toEqual(kept);
    },
  );

  it('saves the same bytes with a micro-batch of all samples as without', async () => {
    const whole = await filesOf({});
    expect(await filesOf({ microBatch: 5 })).toEqual(whole);
    expect(await filesOf({ microBatch: 64 })).toEqual(whole);
  });
});
