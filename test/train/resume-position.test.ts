import { describe, expect, it } from 'vitest';
import { resumePosition } from '../../src/known/compare-data.ts';
import type { DataRecord } from '../../src/known/data-record.ts';

describe('the place in the data where a run goes on', () => {
  const trained = { name: 'pets', count: 6, shape: [1] };
  const place = (offset: number, known: DataRecord, isSplit = false) =>
    resumePosition({ epoch: 2, offset }, known, { count: 6 }, { trained, isSplit });

  it('is where it was, in a set of the same size or one of which nothing is known', () => {
    for (const known of [{ count: 6 }, {}])
      expect(place(5, known)).toEqual({ position: { epoch: 2, offset: 5 }, notices: [] });
  });

  it('is a new epoch in a set of another size, which is said', () => {
    for (const count of [4, 12]) {
      expect(place(3, { count })).toEqual({
        position: { epoch: 3, offset: 0 },
        notices: ['pets: the epoch that was under way ends here, and the next one, of 6 samples, begins.'],
      });
    }
    // Nothing ends where nothing was under way.
    expect(place(0, { count: 4 })).toEqual({ position: { epoch: 2, offset: 0 }, notices: [] });
  });

  it('is a new epoch where others are held out, and where an old checkpoint is at the end or beyond', () => {
    expect(place(3, { count: 6, heldOut: 2 }).position).toEqual({ epoch: 3, offset: 0 });
    for (const offset of [6, 7]) expect(place(offset, {}).position).toEqual({ epoch: 3, offset: 0 });
  });

  it('comes with a word on samples that were trained on and are held out now', () => {
    expect(place(0, { count: 4 }, true).notices).toEqual([
      expect.stringMatching(/held out now were trained on/),
    ]);
    expect(place(0, { count: 6 }, true).notices).toEqual([]);
  });
});
