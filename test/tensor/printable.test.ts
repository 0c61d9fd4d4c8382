import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RectiflowError, fileError, valueError } from '../../src/tensor/errors.ts';
import { printable, printableJson } from '../../src/tensor/printable.ts';

describe('printable', () => {
  it.each([
    ['control characters', '\u001b]0;pwned\u0007\u001b[2J', String.raw`\x1b]0;pwned\x07\x1b[2J`],
    ['C1 and DEL', 'a\u009b31mb\u007f', String.raw`a\x9b31mb\x7f`],
    ['newlines and tabs', 'a\nerror: b\r\tc', String.raw`a\nerror: b\r\tc`],
    ['separators of lines', 'a\u2028b\u2029c\u0085d', String.raw`a\u2028b\u2029c\x85d`],
    [
      'bidirectional controls',
      'cat\u202egnp.exe\u2066x\u200f\u061c',
      String.raw`cat\u202egnp.exe\u2066x\u200f\u061c`,
    ],
    ['what is invisible', 'ca\u200bt\ufeff\u00ad\u3164\u2060', String.raw`ca\u200bt\ufeff\xad\u3164\u2060`],
    ['joiners in Latin', 'ca\u200dt\u200c', String.raw`ca\u200dt\u200c`],
    ['tags and selectors that hide a text', 'a\u{e0041}\u{e0150}', String.raw`a\u{e0041}\u{e0150}`],
    ['halves of pairs', 'a\ud800b\udc00', String.raw`a\ud800b\udc00`],
  ])('escapes %s', (_, text, shown) => {
    expect(printable(text)).toBe(shown);
    expect(printable(shown)).toBe(shown);
  });

  it.each([
    'Überraschung, naïve, Ελλάδα, Привет',
    '猫 ネコ 고양이 قطة חתול बिल्ली แมว',
    'e\u0301 (two characters)',
    'می\u200cخواهم (joined by script)',
    'क्\u200dष',
    '👩\u200d👩\u200d👧 👍🏽 ❤\ufe0f 1\ufe0f\u20e3 👨🏻\u200d🦰 🏳\ufe0f\u200d🌈',
    '🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}',
    '葛\u{e0100}飾',
    'C:\\pictures\\x1b "quoted" <&>',
  ])('leaves %s', (text) => {
    expect(printable(text)).toBe(text);
  });

  it('leaves nothing that a terminal obeys, of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = printable(text);
        expect(shown).not.toMatch(/[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/u);
        expect(printable(shown)).toBe(shown);
      }),
    );
  });
});

it('prints JSON that reads as the same value', () => {
  const value = { 'a\u009b': ['\u202e', '\u{e0041}', '\u001b', '猫'], b: 1 };
  const text = printableJson(value, undefined, 2);
  expect(JSON.parse(text)).toEqual(value);
  expect(text.split('\n').join('')).not.toMatch(/[\p{Cc}\u202e\u{e0041}]/u);
  expect(text).toContain('猫');
});

describe('errors', () => {
  it('show names from outside escaped, each in its line', () => {
    expect(fileError('a\u001b[2J\nerror: b.png', 'is empty', 'Remove it').message).toBe(
      String.raw`a\x1b[2J\nerror: b.png: is empty. Remove it.`,
    );
    expect(valueError('sample', 'labels', 'one of a', '\u202egnp').message).toBe(
      String.raw`sample: labels must be one of a, got \u202egnp`,
    );
  });

  it('leave out the middle of what is too long to be read', () => {
    const { message } = fileError('a.txt', `holds ${'x'.repeat(1e8)}`, 'Shorten it');
    expect(message.length).toBeLessThan(5000);
    expect(message).toMatch(/^a\.txt: holds x+ \.\.\. \(\d+ characters\) \.\.\. x+\. Shorten it\.$/);
  });

  it('keep the lines of a message that has several', () => {
    const { message } = new RectiflowError('config', ['a.yaml:', '  b\nc: no such setting', '  d']);
    expect(message.split('\n')).toEqual(['a.yaml:', String.raw`  b\nc: no such setting`, '  d']);
  });
});
