import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { type TimeDistribution, sampleTimes } from '../../src/flow/time-sampling.ts';
import { trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';

const count = 4000;

async function draw(distribution: TimeDistribution, step = 1): Promise<HostArray> {
  const program = trace('times', (graph) => ({
    t: sampleTimes(distribution, graph.input('step', [], 'int32'), count, { seed: 3, stream: 1 }),
  }));
  const executable = referenceBackend().compile(program, new Map());
  await executable.run({ step: Int32Array.of(step) });
  return executable.read('t');
}

function moments(values: number[]): { mean: number; std: number } {
  const mean = values.reduce((a, b) => a + b) / values.length;
  return { mean, std: Math.sqrt(values.reduce((total, x) => total + (x - mean) ** 2, 0) / values.length) };
}

describe('times', () => {
  it('are uniform in (0, 1)', async () => {
    const t = [...(await draw({ kind: 'uniform' }))];
    expect(Math.min(...t)).toBeGreaterThan(0);
    expect(Math.max(...t)).toBeLessThan(1);
    expect(moments(t).mean).toBeCloseTo(0.5, 1);
    expect(moments(t).std).toBeCloseTo(Math.sqrt(1 / 12), 1);
  });

  it('are logit-normal with the mean and deviation asked for', async () => {
    const t = [...(await draw({ kind: 'logit-normal', mean: -0.5, std: 1.5 }))];
    const logits = moments(t.map((value) => Math.log(value / (1 - value))));
    expect(Math.abs(logits.mean + 0.5)).toBeLessThan(0.06);
    expect(Math.abs(logits.std - 1.5)).toBeLessThan(0.05);
  });

  it('differ from step to step and repeat for the same one', async () => {
    const [first, again, second] = [
      await draw({ kind: 'uniform' }),
      await draw({ kind: 'uniform' }),
      await draw({ kind: 'uniform' }, 2),
    ];
    expect(again).toEqual(first);
    expect(second).not.toEqual(first);
  });
});
