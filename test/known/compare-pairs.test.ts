import { describe, expect, it } from 'vitest';
import type { PairedBy } from '../../src/data/source.ts';
import { type ComparedData, compareData } from '../../src/known/compare-data.ts';
import type { ModelConfig } from '../../src/train/settings.ts';

const by = (model: string): PairedBy => ({ weights: `those of ${model}`, model });

/** Data that were pairs of a model when a checkpoint was made, and are those of another now. */
function compare(
  known: PairedBy | undefined,
  now: PairedBy | undefined,
  accept = false,
): Promise<ComparedData> {
  const facts = { told: 'nothing', shape: [1], count: 6, ...(known && { paired: known }) };
  const source = { name: 'pairs/a', count: 6, shape: [1], read: () => ({}), ...(now && { paired: now }) };
  return compareData(source, {
    checkpoint: { path: 'runs/c/checkpoints/step-0000004', step: 4, state: { data: facts } },
    model: { kind: 'dit', classes: 0 } as ModelConfig,
    accept,
  });
}

describe('pairs', () => {
  it('of the same model are taken without a word, whatever it is called now', async () => {
    const moved = { ...by('runs/a, step 4'), model: 'elsewhere/a, step 4' };
    const { notices, record } = await compare(by('runs/a, step 4'), moved);
    expect(notices).toEqual([]);
    expect(record.paired).toEqual(moved);
  });

  it('of another model are refused', async () => {
    await expect(compare(by('runs/a, step 4'), by('runs/b, step 9'))).rejects.toThrow(
      /the pairs were made by runs\/b, step 9, with other weights than those of runs\/a, step 4, whose pairs were learnt from.*--accept-data/,
    );
    await expect(compare(by('runs/a, step 4'), undefined)).rejects.toThrow(
      'they are no pairs, as those made by runs/a, step 4',
    );
  });

  it('of another model are learnt from where that is accepted, and recorded', async () => {
    const { record, notices } = await compare(by('runs/a, step 4'), by('runs/b, step 9'), true);
    expect(record.paired).toEqual(by('runs/b, step 9'));
    expect(record.accepted).toHaveLength(1);
    expect(notices.join()).toMatch(/this was accepted, which learns from these from now on/);
  });

  it('are new to a run of plain data, which knows of none', async () => {
    expect((await compare(undefined, by('runs/b, step 9'))).notices).toEqual([]);
  });
});
