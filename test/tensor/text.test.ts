import { expect, test } from 'vitest';
import { decodeText } from '../../src/tensor/text.ts';

const problem = (bytes: Uint8Array): string => {
  try {
    return decodeText(bytes, 'x');
  } catch (error) {
    return (error as Error).message;
  }
};

test('text of any script, with a byte order mark or without', () => {
  for (const text of ['', 'a', 'ab', 'Föhn 猫 🐈', 'a\0b', '\0\0\0\0']) {
    expect(decodeText(Buffer.from(text), 'x')).toBe(text);
    expect(decodeText(Buffer.from(`\uFEFF${text}`), 'x')).toBe(text);
  }
});

test('other encodings are refused by name, or by the line that is no UTF-8', () => {
  const wide = (text: string): Buffer => Buffer.from(text, 'utf16le');
  const utf16 = 'x: is text in UTF-16, not in UTF-8. Save it as UTF-8.';
  expect(problem(wide('\uFEFFa cat'))).toBe(utf16);
  expect(problem(wide('\uFEFF猫'))).toBe(utf16);
  expect(problem(wide('\uFEFFa cat').swap16())).toBe(utf16);
  expect(problem(wide('a cat'))).toBe(utf16);
  expect(problem(wide('a cat').swap16())).toBe(utf16);
  expect(problem(Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]))).toContain('is text in UTF-32');
  expect(problem(Buffer.from('caf\xe9', 'latin1'))).toBe('x: is no text in UTF-8. Save it as UTF-8.');
  expect(problem(Buffer.from('ok\nF\xf6hn\nok', 'latin1'))).toContain('is no text in UTF-8 (line 2).');
  expect(problem(Buffer.from('ok\ntruncated: Föhn').subarray(0, -3))).toContain('(line 2)');
});

test('takes an odd number of bytes for no UTF-16, though every other is zero', () => {
  expect(decodeText(Buffer.from('a\0b\0c'), 'a.txt')).toBe('a\0b\0c');
  expect(() => decodeText(Buffer.from('a\0b\0'), 'a.txt')).toThrow('a.txt: is text in UTF-16');
});
