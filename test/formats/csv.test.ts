import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseCsv } from '../../src/formats/csv.ts';

const fieldsOf = (text: string) => Array.from(parseCsv(text, 'a.csv'), ({ fields }) => fields);

test('rows end with either kind of line break, or with the file', () => {
  expect(fieldsOf('a,b\r\n1,2\n3,')).toEqual([
    ['a', 'b'],
    ['1', '2'],
    ['3', ''],
  ]);
  expect(fieldsOf('a\n\n1\n')).toEqual([['a'], ['1']]);
});

test('quoted fields hold commas, quotes and line breaks, and rows know their line', () => {
  const rows = [...parseCsv('a,b\n"x, ""y""","two\nlines"\nlast,"row"', 'a.csv')];
  expect(rows).toEqual([
    { line: 1, fields: ['a', 'b'] },
    { line: 2, fields: ['x, "y"', 'two\nlines'] },
    { line: 4, fields: ['last', 'row'] },
  ]);
});

test('what is written is read', () => {
  const quote = (field: string): string => `"${field.replaceAll('"', '""')}"`;
  const rows = fc.array(fc.array(fc.string(), { minLength: 2, maxLength: 3 }), { maxLength: 4 });
  fc.assert(
    fc.property(rows, (written) => {
      const text = written.map((row) => row.map(quote).join(',')).join('\n');
      expect(fieldsOf(text)).toEqual(written);
    }),
  );
});

test.each([
  ['a\n"b', 'a.csv: line 2: a quote is not closed. Close it.'],
  ['a\n5" nail', 'a.csv: line 2: there is a quote within the field 5" nail. Quote the whole field'],
  ['"a"b', 'a.csv: line 1: text follows a closing quote. Double the quotes within a field.'],
])('refuses %j', (text, problem) => {
  expect(() => fieldsOf(text)).toThrow(problem);
});
