import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { textLines } from '../../src/formats/text-lines.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'text-lines-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function linesOf(content: string | Uint8Array): Promise<[number, string][]> {
  const path = join(folder, 'lines.jsonl');
  await writeFile(path, content);
  const lines: [number, string][] = [];
  for await (const { line, text } of textLines(path)) lines.push([line, text]);
  return lines;
}

test('LF and CR LF end lines, the last of which may end without', async () => {
  expect(await linesOf('')).toEqual([]);
  expect(await linesOf('a\r\n\nb')).toEqual([
    [1, 'a'],
    [2, ''],
    [3, 'b'],
  ]);
  expect(await linesOf('\uFEFFa\n')).toEqual([[1, 'a']]);
});

test('lines that lie across the pieces in which a file is read', async () => {
  const long = Array.from({ length: 5 }, (_, i) => `${i}é`.repeat(30_000));
  expect(await linesOf(long.join('\n'))).toEqual(long.map((text, i) => [i + 1, text]));
});

test('a line that is no UTF-8 is named, one without end is refused before it fills the memory', async () => {
  await expect(linesOf(Buffer.from('ok\ncaf\xe9', 'latin1'))).rejects.toThrow(
    'lines.jsonl: line 2: is no text in UTF-8. Save it as UTF-8.',
  );
  await expect(linesOf(Buffer.from('{}\n', 'utf16le'))).rejects.toThrow('lines.jsonl: is text in UTF-16');
  await expect(linesOf(`ok\n${'x'.repeat(17 << 20)}`)).rejects.toThrow(
    'lines.jsonl: line 2 has more than 16777216 bytes. Write one sample a line.',
  );
});

test('a file that nobody could keep is refused before it is read', async () => {
  const path = join(folder, 'huge.jsonl');
  await writeFile(path, '');
  await truncate(path, 2 ** 30);
  const lines = textLines(path);
  await expect(lines.next()).rejects.toThrow(
    /huge\.jsonl: has 1073741824 bytes, more than the 268435456 that/,
  );
});
