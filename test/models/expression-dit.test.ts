import { describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { velocityProgram } from '../support/velocity-program.ts';
import { ExpressionDiT } from '../../src/models/expression-dit.ts';
import type { ExpressionDiTConfig } from '../../src/models/expression-dit-config.ts';
import { countParameters } from '../../src/models/model.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { givenDraw } from '../../src/train/draw.ts';
import { gradientProgram } from '../../src/train/loss.ts';
import { float32Backends } from '../support/backends.ts';
import { relativeError } from '../support/conformance.ts';
import { initialValues, randomWeights } from '../support/models.ts';
import { randomValues } from '../support/random.ts';
import { outputsOf } from '../support/outputs.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';

/** 7 genes are two groups of 3, and one with two zeros. */
function tiny(changes: Partial<ExpressionDiTConfig> = {}): ExpressionDiT {
  return new ExpressionDiT({ width: 16, depth: 2, heads: 2, groupSize: 3, genes: 7, classes: 3, ...changes });
}

const cells = (count: number, seed = 3): Float32Array => Float32Array.from(randomValues(count * 7, seed));

describe('ExpressionDiT', () => {
  it('has a projection and an embedding for each group, and blocks like those of DiT', () => {
    const model = tiny({ depth: 1 });
    const [D, T, p] = [16, 3, 3];
    const block = 18 * D ** 2 + 15 * D;
    const time = 256 * D + D + D ** 2 + D;
    const output = T * D * p + T * p + 2 * D ** 2 + 2 * D;
    expect(countParameters(model)).toBe(T * D + T * p * D + time + 4 * D + block + output);
  });

  it.each([0, 3])('predicts nothing at first, with %d classes', async (classes) => {
    const model = tiny({ classes });
    const backend = referenceBackend();
    const weights = await randomWeights(backend, model);
    for (const spec of model.parameters) {
      await weights.get(spec.name)!.write(Float32Array.from(await initialValues(spec, 0)));
    }
    const executable = await backend.compile(velocityProgram(model, 2, false), weights);
    const labels = classes > 0 && { labels: Int32Array.of(0, 3) };
    await executable.run({ x: cells(2), t: Float32Array.of(0.3, 0.3), ...labels });
    const velocity = (await executable.read(['velocity'])).velocity;
    expect(velocity).toHaveLength(14);
    expect(velocity.every((value) => value === 0)).toBe(true);
  });

  it('depends on the time, on the label and on which gene has a value', async () => {
    const backend = referenceBackend();
    const model = tiny();
    const executable = await backend.compile(
      velocityProgram(model, 1, false),
      await randomWeights(backend, model),
    );
    const velocity = async (t: number, label: number, x = cells(1)): Promise<string> => {
      await executable.run({ x, t: Float32Array.of(t), labels: Int32Array.of(label) });
      return (await executable.read(['velocity'])).velocity.join();
    };
    const seen = [await velocity(0.3, 0), await velocity(0.4, 0), await velocity(0.3, 1)];
    seen.push(await velocity(0.3, 3), await velocity(0.3, 0, cells(1).toReversed()));
    expect(new Set(seen).size).toBe(5);
  });

  const model = tiny();
  const batch = 4;
  const program = gradientProgram({ task: velocityTask({ model, draw: givenDraw }), batch });
  const inputs: Record<string, HostArray> = {
    x0: cells(batch),
    x1: cells(batch, 4),
    t: Float32Array.of(0.1, 0.4, 0.6, 0.9),
    step: Int32Array.of(0),
    labels: Int32Array.of(0, 1, 2, 3),
  };

  async function gradients(backend: Backend): Promise<Map<string, HostArray>> {
    const executable = await backend.compile(program, await randomWeights(backend, model));
    await executable.run(inputs);
    return outputsOf(executable);
  }

  for (const { label, create, skip } of float32Backends()) {
    it.skipIf(skip !== undefined)(`has the gradient of the reference on ${label}`, async () => {
      const wanted = await gradients(referenceBackend());
      const got = await gradients(create());
      for (const [name, values] of wanted) expect(relativeError(got.get(name)!, values)).toBeLessThan(2e-5);
    });
  }

  it.each<[string, Partial<ExpressionDiTConfig>, string]>([
    ['no genes', { genes: 0 }, 'ExpressionDiT: genes must be a positive integer, got 0'],
    ['half a group', { groupSize: 1.5 }, 'ExpressionDiT: groupSize must be a positive integer, got 1.5'],
    [
      'heads that do not divide the width',
      { heads: 3 },
      'ExpressionDiT: heads must be a divisor of the width 16, got 3',
    ],
    ['negative classes', { classes: -1 }, 'ExpressionDiT: classes must be an integer from 0'],
  ])('with %s is refused', (_, changes, message) => {
    expect(() => tiny(changes)).toThrow(message);
  });
});
