import { expect, it } from 'vitest';
import { rankCase, rankCaseNames } from '../../bench/rank-cases.ts';
import { prepareShare } from '../../bench/training-share.ts';
import { testBackends } from '../support/backends.ts';
import { onRanks } from '../support/ranks.ts';

const options = { precision: 'fp32', threads: 1 } as const;

const { skip } = testBackends().find(({ label }) => label === 'cpu portable')!;
const why = skip === undefined ? '' : ` (skipped: ${skip})`;

it.skipIf(skip)(`ranks of the small case train what one process does${why}`, async () => {
  const { config } = rankCase('small', 8);
  const losses = await onRanks(2, async (communicator) => {
    const { parameters, step, run, dispose } = await prepareShare(config, options, communicator);
    await run();
    const first = (await step.read(['loss'])).loss[0]!;
    for (let i = 0; i < 3; i++) await run();
    const later = (await step.read(['loss'])).loss[0]!;
    await dispose();
    return { parameters, first, later };
  });
  const alone = await prepareShare(config, options);
  await alone.run();
  const { loss } = await alone.step.read(['loss']);
  await alone.dispose();
  expect(losses[0]).toEqual(losses[1]);
  expect(losses[0]!.parameters).toBe(alone.parameters);
  // Images are drawn anew by every process: 1 + mean(x0^2), but for the luck of the draw.
  expect(Math.abs(losses[0]!.first - loss[0]!)).toBeLessThan(0.15);
  expect(losses[0]!.later).not.toBe(losses[0]!.first);
});

it('every case can be divided for up to 16 ranks', () => {
  for (const name of rankCaseNames) expect(rankCase(name, 16).config.train.batchSize % 16).toBe(0);
});
