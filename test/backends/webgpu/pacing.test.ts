// Runs are cut into submissions that are short, by what the first run took.
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { BoundDispatch } from '../../../src/backends/webgpu/bind.ts';
import { Pacing } from '../../../src/backends/webgpu/pacing.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Dispatches by their number, each of which takes so long, in milliseconds. */
function device(milliseconds: (dispatch: number) => number) {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const pieces: number[][] = [];
  let waits = 0;
  return {
    pieces,
    waits: () => waits,
    submit(dispatches: readonly BoundDispatch[]) {
      const numbers = dispatches as unknown as number[];
      pieces.push([...numbers]);
      now += numbers.reduce((sum, each) => sum + milliseconds(each), 0);
    },
    done: () => (waits++, Promise.resolve()),
  };
}

const numbered = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const paced = (count: number): Pacing => new Pacing(numbered(count) as unknown as BoundDispatch[]);

describe('a run', () => {
  it('is one submission where all of it is short, and hands over all of it each time', async () => {
    const pacing = paced(100);
    const { pieces, waits, ...commands } = device(() => 0.1);
    await pacing.run(commands);
    expect(pieces.flat()).toEqual(numbered(100));
    pieces.length = 0;
    const before = waits();
    await pacing.run(commands);
    expect(pieces).toEqual([numbered(100)]);
    expect(waits()).toBe(before);
  });

  it('is as many as take no longer than 50 ms each, in order', async () => {
    const pacing = paced(200);
    const { pieces, waits: _, ...commands } = device((dispatch) => (dispatch < 100 ? 2 : 0.5));
    await pacing.run(commands);
    pieces.length = 0;
    await pacing.run(commands);
    expect(pieces.flat()).toEqual(numbered(200));
    expect(pieces.length).toBeGreaterThan(3);
    const taken = pieces.map((piece) => piece.reduce((sum, each) => sum + (each < 100 ? 2 : 0.5), 0));
    expect(Math.max(...taken)).toBeLessThanOrEqual(50);
  });
});
