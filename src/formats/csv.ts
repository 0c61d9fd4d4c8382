import { fileError } from '../tensor/errors.ts';

export interface CsvRow {
  /** Where the row starts in the file, from 1. */
  readonly line: number;
  readonly fields: readonly string[];
}

/**
 * Rows of comma-separated values (RFC 4180): fields may be quoted, quoted ones hold commas, line breaks and doubled quotes.
 * Empty lines are no rows.
 * @param origin how errors call the text
 * @throws RectiflowError naming the line: a quote that is not closed, or that stands within a field
 */
export function* parseCsv(text: string, origin: string): Generator<CsvRow, void, void> {
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const first = line;
    const fields: string[] = [];
    for (;;) {
      const field =
        text[at] === '"' ? quotedField(text, at, line, origin) : plainField(text, at, line, origin);
      fields.push(field.value);
      line += field.breaks;
      at = field.end;
      if (text[at] !== ',') break;
      at++;
    }
    at += text.startsWith('\r\n', at) ? 2 : 1;
    line++;
    if (fields.length > 1 || fields[0] !== '') yield { line: first, fields };
  }
}

interface Field {
  readonly value: string;
  /** Of the comma or the line break behind it. */
  readonly end: number;
  readonly breaks: number;
}

function plainField(text: string, start: number, line: number, origin: string): Field {
  let end = start;
  while (end < text.length && !',\n\r'.includes(text[end]!)) end++;
  const value = text.slice(start, end);
  if (value.includes('"')) {
    const problem = `line ${line}: there is a quote within the field ${value}`;
    throw fileError(origin, problem, 'Quote the whole field, and double the quotes in it');
  }
  return { value, end, breaks: 0 };
}

function quotedField(text: string, start: number, line: number, origin: string): Field {
  let close = text.indexOf('"', start + 1);
  while (close !== -1 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
  if (close === -1) throw fileError(origin, `line ${line}: a quote is not closed`, 'Close it');
  const value = text.slice(start + 1, close).replaceAll('""', '"');
  const end = close + 1;
  if (end < text.length && !',\n\r'.includes(text[end]!)) {
    throw fileError(origin, `line ${line}: text follows a closing quote`, 'Double the quotes within a field');
  }
  return { value, end, breaks: value.split('\n').length - 1 };
}
