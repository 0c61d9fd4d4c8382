import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reportLines } from '../../src/cli/data-report-view.ts';
import { formatTable, padShown, shownWidth } from '../../src/cli/format.ts';
import { redraw, writeLines } from '../../src/cli/print.ts';
import { svgPlot } from '../../src/pictures/plot.ts';

class Output {
  written = '';
  readonly columns = 12;

  write(text: string): boolean {
    this.written += text;
    return true;
  }
}

it('writes lines, each of which stays one and is printable', () => {
  const output = new Output();
  writeLines(output, ['a\u001b[31m', 'b\nc', '']);
  expect(output.written).toBe('a\\x1b[31m\nb\\nc\n\n');
});

it('shows the last line of a terminal anew, as far as it fits', () => {
  const output = new Output();
  redraw(output, '\u0007 of a very long name');
  redraw(output);
  expect(output.written).toBe(`\r\u001b[K\\x07 of a v\r\u001b[K`);
});

it('is the one place that writes to the terminal', async () => {
  const root = join(import.meta.dirname, '../../src');
  const names = await readdir(root, { recursive: true });
  const writers: string[] = [];
  for (const name of names.filter((file) => file.endsWith('.ts'))) {
    const text = await readFile(join(root, name), 'utf8');
    if (/\bconsole\.\w|\b(?:stdout|stderr|output)\.write\(/.test(text)) writers.push(name);
  }
  expect(writers).toEqual([join('cli', 'print.ts')]);
});

describe('tables', () => {
  it('align names of any script by what terminals show', () => {
    expect(['cat', '猫', 'e\u0301', '👩\u200d👩\u200d👧', '고양이', 'ﾈｺ', 'Ａ'].map(shownWidth)).toEqual([
      3, 2, 1, 2, 6, 2, 2,
    ]);
    expect(padShown('猫', 4)).toBe('猫  ');
    expect(
      formatTable([
        ['name', 'n'],
        ['猫', '1'],
        ['a\u001b', '20'],
      ]),
    ).toEqual(['name     n', '猫       1', 'a\\x1b   20']);
  });
});

it('reports on data with hostile names in whole lines', () => {
  const hostile = 'a\u001b[2J\nb';
  const lines = reportLines({
    name: hostile,
    count: 1,
    shape: [1, 2, 2],
    told: 'labels',
    unused: [{ what: hostile, count: 1, examples: [hostile] }],
    remarks: [],
    classes: [
      { name: hostile, count: 1 },
      { name: 'dog', count: 2 },
    ],
    sizes: [],
    aspects: [],
    formats: [],
    enlarged: 0,
    unreadable: { count: 0, problems: [] },
    duplicates: { count: 0, pairs: [], conflicts: { count: 0, pairs: [] } },
    findings: [],
    advice: [],
  });
  const output = new Output();
  writeLines(output, lines);
  expect(output.written.split('\n')).toHaveLength(lines.length + 1);
  // oxlint-disable-next-line no-control-regex
  expect(output.written.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f]/);
});

it('writes no control characters and no markup of names into SVG', () => {
  const points = [
    [1, 1],
    [10, 2],
  ] as const;
  const svg = svgPlot({
    title: '<script>&\u001b\u0000',
    subtitle: '',
    x: 'x',
    y: 'y',
    series: [{ label: ']]>\u202e', points }],
  });
  expect(svg).toContain(String.raw`&lt;script&gt;&amp;\x1b\x00`);
  expect(svg).toContain(String.raw`]]&gt;\u202e`);
});
