import { expect, it } from 'vitest';
import { BadSteps, describeBadStep } from '../../src/train/bad-steps.ts';

const policy = { rollBackAfter: 3, window: 10, stopAfter: 2 };

it('goes back after so many within the window, and not for those before it', () => {
  const steps = new BadSteps(policy);
  expect([1, 2, 11, 13].map((step) => steps.add(step))).toEqual(['skip', 'skip', 'skip', 'skip']);
  expect(steps.recent).toEqual([11, 13]);
  expect(steps.add(14)).toBe('roll back');
});

it('stops when going back did not help so often', () => {
  const steps = new BadSteps(policy, 1);
  const fill = (): string[] => [1, 2, 3].map((step) => steps.add(step));
  expect(fill()).toEqual(['skip', 'skip', 'roll back']);
  steps.rolledBack();
  expect(steps.rollBacks).toBe(2);
  expect(fill()).toEqual(['skip', 'skip', 'stop']);
});

it('what was found is told of the first of a window alone', () => {
  const bad = { step: 7, loss: 1, gradNorm: Infinity, epoch: 0, finding: 'The data hold NaN.' };
  expect(describeBadStep(bad, true)).toBe('At step 7 the gradient norm is Infinity. The data hold NaN.');
  expect(describeBadStep({ ...bad, step: 8 }, false)).toBe('At step 8 the gradient norm is Infinity again.');
});

it('goes on with what a run before it has counted', () => {
  expect(new BadSteps(policy, 0, [5, 9]).add(12)).toBe('roll back');
  expect(new BadSteps(policy, 0, [2, 9]).add(12)).toBe('skip');
});
