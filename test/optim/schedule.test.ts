import { describe, expect, it } from 'vitest';
import { type LearningRateSchedule, checkSchedule, learningRate } from '../../src/optim/schedule.ts';

const cosine: LearningRateSchedule = {
  kind: 'cosine',
  peak: 2e-3,
  warmupSteps: 10,
  totalSteps: 110,
  floor: 0.1,
};

describe('learning rate', () => {
  it('rises linearly, then falls along a cosine to its floor at the last step', () => {
    expect(learningRate(1, cosine)).toBeCloseTo(2e-4, 12);
    expect(learningRate(5, cosine)).toBeCloseTo(1e-3, 12);
    expect(learningRate(10, cosine)).toBe(2e-3);
    expect(learningRate(60, cosine)).toBeCloseTo(2e-3 * 0.55, 12);
    expect(learningRate(110, cosine)).toBeCloseTo(2e-4, 12);
    expect(learningRate(500, cosine)).toBeCloseTo(2e-4, 12);
  });

  it('stays at its peak where it is constant', () => {
    const constant = { ...cosine, kind: 'constant' } as const;
    expect([1, 10, 11, 110].map((step) => learningRate(step, constant))).toEqual([2e-4, 2e-3, 2e-3, 2e-3]);
  });

  it('falls along a line to its floor at the last step where it is linear', () => {
    const linear = { ...cosine, kind: 'linear' } as const;
    const rates = [5, 10, 35, 60, 110, 500].map((step) => learningRate(step, linear) / 2e-3);
    [0.5, 1, 0.775, 0.55, 0.1, 0.1].forEach((wanted, i) => expect(rates[i]).toBeCloseTo(wanted, 12));
  });

  it('needs no warm-up', () => {
    const sudden = { ...cosine, warmupSteps: 0, totalSteps: 2, floor: 0 };
    expect(learningRate(1, sudden)).toBeCloseTo(1e-3, 12);
    expect(learningRate(2, sudden)).toBeCloseTo(0, 12);
  });

  it('may be all warm-up', () => {
    expect(learningRate(10, { ...cosine, totalSteps: 10 })).toBe(2e-3);
  });

  it.each([
    [{ peak: 0 }, 'learning rate: peak must be a positive number, got 0'],
    [{ totalSteps: 0 }, 'totalSteps must be a positive integer, got 0'],
    [{ warmupSteps: 111 }, 'warmupSteps must be an integer from 0 to totalSteps = 110, got 111'],
    [{ floor: 1.5 }, 'floor must be a fraction of the peak, from 0 to 1, got 1.5'],
  ])('refuses %j', (change, message) => {
    expect(() => checkSchedule(cosine)).not.toThrow();
    expect(() => checkSchedule({ ...cosine, ...change })).toThrow(message);
  });
});
