import { expect, it } from 'vitest';
import { type BadStep, BadSteps } from '../../src/train/bad-steps.ts';

const bad = (step: number): BadStep => ({ step, loss: NaN, gradNorm: NaN, epoch: 0, finding: undefined });
const policy = { rollBackAfter: 3, window: 10, stopAfter: 2 };

it('goes back after so many within the window, and not for those before it', () => {
  const steps = new BadSteps(policy);
  expect([1, 2, 11, 13].map((step) => steps.add(bad(step)))).toEqual(['skip', 'skip', 'skip', 'skip']);
  expect(steps.recent.map(({ step }) => step)).toEqual([11, 13]);
  expect(steps.add(bad(14))).toBe('roll back');
  expect(steps.count).toBe(5);
});

it('stops when going back did not help so often', () => {
  const steps = new BadSteps(policy, 1);
  const fill = (): string[] => [1, 2, 3].map((step) => steps.add(bad(step)));
  expect(fill()).toEqual(['skip', 'skip', 'roll back']);
  steps.rolledBack();
  expect(steps.rollBacks).toBe(2);
  expect(fill()).toEqual(['skip', 'skip', 'stop']);
});

it('what was found is told of the first of a window alone', () => {
  const steps = new BadSteps(policy);
  const told = [7, 8].map((step) => {
    steps.add({ ...bad(step), loss: 1, gradNorm: Infinity, finding: 'The data hold NaN.' });
    return steps.describeLast();
  });
  expect(told).toEqual([
    'At step 7 the gradient norm is Infinity. The data hold NaN. Nothing was changed by this step.',
    'At step 8 the gradient norm is Infinity again. Nothing was changed by this step.',
  ]);
});
