import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pace } from '../../src/tensor/pace.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a pace', () => {
  it('rests as its share of the time asks for, and gathers rests that are too short', async () => {
    const pace = new Pace(0.25);
    await pace.rest(0.1);
    await pace.rest(0.2);
    expect(vi.getTimerCount()).toBe(0);
    let isOver = false;
    const resting = pace.rest(3).then(() => (isOver = true));
    await vi.advanceTimersByTimeAsync(8);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(2);
    await resting;
  });

  it('that is hurried ends the rest that is taken, and rests no more', async () => {
    const pace = new Pace(0.25);
    const resting = pace.rest(100);
    expect(vi.getTimerCount()).toBe(1);
    pace.hurry();
    await resting;
    expect(vi.getTimerCount()).toBe(0);
    await pace.rest(100);
    expect(vi.getTimerCount()).toBe(0);
  });
});
