import { beforeEach, describe, expect, it, vi } from 'vitest';

// Timers of node:timers/promises, which vitest does not replace.
const rests: number[] = [];
vi.mock('node:timers/promises', () => ({
  setTimeout: (milliseconds: number, _: unknown, { signal }: { signal: AbortSignal }) => {
    rests.push(milliseconds);
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error())));
  },
}));
const { Pace } = await import('../../src/host/pace.ts');

beforeEach(() => {
  rests.length = 0;
});

describe('a pace', () => {
  it('rests as its share of the time asks for, and gathers rests that are too short', async () => {
    const pace = new Pace(0.25);
    await pace.rest(0.1);
    await pace.rest(0.2);
    expect(rests).toEqual([]);
    const resting = pace.rest(2);
    expect(rests).toEqual([expect.closeTo(3 * 2.3)]);
    pace.hurry();
    await resting;
  });

  it('that is hurried rests no more', async () => {
    const pace = new Pace(0.25);
    pace.hurry();
    await pace.rest(100);
    expect(rests).toEqual([]);
  });
});
