import { expect, it } from 'vitest';
import { plan } from '../../../src/api/plan/plan.ts';
import { type StagePlan, sumStages } from '../../../src/api/plan/stages.ts';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../../src/config/config.ts';
import { resolveConfig } from '../../../src/config/resolve-config.ts';
import { describePlan } from '../../../src/cli/plan-view.ts';
import { pictureFolder } from '../../support/picture-folder.ts';

it('a run of stages takes what its stages take together, each with data of its size', async () => {
  const config: ConfigInput = {
    data: { source: 'folder', path: await pictureFolder(), channels: 1, size: 16 },
    model: { width: 16, depth: 1, heads: 2, patchSize: 4 },
    stages: [
      { imageSize: 8, patchSize: 2, steps: 30, batchSize: 5 },
      { steps: 12, batchSize: 4 },
    ],
    train: { logEvery: 5, sampleEvery: 0, checkpointEvery: 20 },
    sample: { steps: 1, perClass: 1 },
  };
  const found = await plan(config, { backend: referenceBackend(), seconds: 0.2 });
  const [first, second] = found.stages!.map((stage) => stage.plan) as [typeof found, typeof found];
  expect(found.stages).toMatchObject([
    { imageSize: [8, 8], patchSize: 2, plan: { training: { steps: 30, batchSize: 5 } } },
    { imageSize: [16, 16], patchSize: 4, plan: { training: { steps: 12, batchSize: 4 } } },
  ]);
  // As many tokens of a quarter of the pixels.
  expect(first.flops.training).toBeLessThan(second.flops.training);
  expect(found.time.total).toBeCloseTo(first.time.total + second.time.total, 9);
  expect(found.time.steps).toBeCloseTo(30 * first.time.step + 12 * second.time.step, 9);
  expect(found.flops.total).toBe(first.flops.total + second.flops.total);
  expect(found.training).toMatchObject({ steps: 42, checkpoints: 3, kept: 3 });
  const totals = [first, second].map(({ memory }) => memory.estimate.total);
  expect(found.memory.estimate.total).toBe(Math.max(...totals));
  const assuming = (...lists: string[][]): StagePlan[] =>
    found.stages!.map((stage, i) => ({ ...stage, plan: { ...stage.plan, assumptions: lists[i]! } }));
  const whole = resolveConfig(config, { facts: { name: 'pictures', count: 9, shape: [1, 16, 16] } });
  expect(sumStages(whole, assuming(['both', 'small'], ['both', 'large'])).assumptions).toEqual([
    'both',
    'small',
    'large',
  ]);
  const lines = describePlan(found).join('\n');
  expect(lines).toMatch(/^Time on this machine, by stages:$/m);
  expect(lines).toMatch(/^ {2}8x8\/2 +30 +5 /m);
  expect(lines).toMatch(/^ {2}16x16\/4 +12 +4 /m);
});
