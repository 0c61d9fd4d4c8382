import { describe, expect, it } from 'vitest';
import { Scores } from '../../bench/scores.ts';
import { median, pairwiseRatios, spread } from '../../bench/statistics.ts';
import { digits, markdownTable, percent, ratio } from '../../bench/table.ts';

const turn = (...milliseconds: number[]): { milliseconds: number[]; peakBytes: number } => ({
  milliseconds,
  peakBytes: 10 * milliseconds.length,
});

describe('statistics of timings', () => {
  it('take the middle', () => {
    expect(median([9, 1, 10])).toBe(9);
    expect(median([4, 1, 10, 2])).toBe(3);
    expect(spread([9, 1, 10])).toEqual({ median: 9, min: 1, max: 10 });
  });

  it('pair turns that stood beside each other', () => {
    expect(pairwiseRatios([[1, 2, 100], [4]], [[6], [2, 2]])).toEqual([3, 0.5]);
  });

  it('join the matches of a case', () => {
    const scores = new Scores<'bf16' | 'fp32' | 'torch-fp32'>();
    scores.add(new Map([['bf16', [turn(1), turn(3)]] as const, ['fp32', [turn(2), turn(3)]]]));
    scores.add(new Map([['bf16', [turn(5, 5)]] as const, ['torch-fp32', [turn(20)]]]));
    expect(scores.names()).toEqual(['bf16', 'fp32', 'torch-fp32']);
    expect(scores.milliseconds('bf16')).toBe(4);
    expect(scores.peakBytes('bf16')).toBe(20);
    expect(scores.speed(['bf16', 'fp32'])).toEqual({ median: 1.5, min: 1, max: 2 });
    expect(scores.speed(['bf16', 'torch-fp32'])).toEqual({ median: 4, min: 4, max: 4 });
    expect(scores.speed(['fp32', 'torch-fp32'])).toBeUndefined();
  });

  it('hold each turn against the peak beside it', () => {
    const scores = new Scores<'bf16'>();
    // 100, 200 and 50 operations per second.
    const turns = [
      { ...turn(1000), peak: 200 },
      { ...turn(500, 100, 900), peak: 250 },
      { ...turn(2000), peak: 200 },
    ];
    scores.add(new Map([['bf16', turns]]));
    expect(scores.shareOfPeak('bf16', 100)).toBe(0.5);
  });
});

describe('tables', () => {
  it('show three digits', () => {
    expect([1234.5, 123.4, 12.34, 1.234, 0.01234, 10, 0, NaN].map(digits)).toEqual([
      '1235',
      '123',
      '12.3',
      '1.23',
      '0.0123',
      '10',
      '0',
      'n/a',
    ]);
    expect([0.5, 0.09, 1.234].map(percent)).toEqual(['50%', '9.0%', '123%']);
    expect(ratio({ median: 1.423, min: 1.4, max: 1.5 })).toBe('1.42 (1.40–1.50)');
  });

  it('are Markdown, aligned', () => {
    expect(
      markdownTable(
        ['', 'ms'],
        [
          ['long name', '5'],
          ['b', '1234'],
        ],
      ),
    ).toEqual([
      '|           |   ms |',
      '| --------- | ---: |',
      '| long name |    5 |',
      '| b         | 1234 |',
    ]);
  });
});
