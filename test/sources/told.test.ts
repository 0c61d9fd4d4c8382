import { expect, test } from 'vitest';
import { checkSamples } from '../../src/check/check.ts';
import type { Source } from '../../src/data/source.ts';
import { describeTold } from '../../src/data/told.ts';

const source: Source = { name: 'set', count: 1, shape: [1, 1, 1], read: () => ({ label: 0 }) };

test('what the model is told, in words', () => {
  expect(describeTold(source)).toBe('nothing: unconditional');
  expect(describeTold({ ...source, classes: 1 })).toBe('labels (1 class)');
  expect(describeTold({ ...source, classes: 12, told: { by: 'by folder' } })).toBe(
    'labels (12 classes, by folder)',
  );
  expect(describeTold({ ...source, captions: true, told: { by: 'metadata.csv, column text' } })).toBe(
    'captions (metadata.csv, column text)',
  );
});

test('what is not used is in the report, and is advice where something is to be done about it', async () => {
  const unused = [
    {
      what: '.bmp file',
      count: 7,
      examples: ['a.bmp', 'b.bmp', 'c.bmp', 'd.bmp', 'e.bmp'],
      advice: 'Do it.',
    },
    { what: 'column', count: 1, examples: ['id'] },
  ];
  const report = await checkSamples({ ...source, unused });
  expect(report).toMatchObject({ told: 'nothing: unconditional', unused });
  expect(report.advice).toContain(
    'Not used: 7 .bmp files: a.bmp, b.bmp, c.bmp, d.bmp, e.bmp and 2 more. Do it.',
  );
  expect(report.advice.join()).not.toContain('column');
});
