import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatFlops,
  formatInteger,
  formatTable,
  formatValue,
} from '../../src/cli/format.ts';
import { finiteNumber, imageSides, timeInterval, wholeNumber } from '../../src/cli/options.ts';
import { shellWord } from '../../src/cli/paths.ts';
import { printable } from '../../src/tensor/printable.ts';

it('writes numbers as people read them', () => {
  expect([0, 999, 8_424_000].map(formatInteger)).toEqual(['0', '999', '8,424,000']);
  expect([999, 8_424_000, 675_221_952].map(formatCount)).toEqual(['999', '8.42 million', '675 million']);
  expect([12, 1536, 1.21 * 2 ** 30].map(formatBytes)).toEqual(['12 bytes', '1.50 KiB', '1.21 GiB']);
  expect([1.05e12, 3e20, 2.64e24].map(formatFlops)).toEqual(['1.05 TFLOP', '300 EFLOP', '2640 ZFLOP']);
  const values = [0, 0.002, 0.31234, 14.26, 812.3, 12_465.4, 1e7, NaN];
  expect(values.map(formatValue)).toEqual([
    '0.00',
    '2.0e-3',
    '0.312',
    '14.3',
    '812',
    '12,465',
    '1.0e+7',
    'NaN',
  ]);
  const seconds = [0.26, 9.9, 42, 247, 7500, 270_000, 3.2e8];
  expect(seconds.map(formatDuration)).toEqual([
    '0.3s',
    '9.9s',
    '42s',
    '4m 07s',
    '2h 05m',
    '3d 03h',
    '10 years',
  ]);
});

it('aligns tables', () => {
  expect(
    formatTable([
      ['batch', 'total'],
      ['1', '12.6 GiB'],
    ]),
  ).toEqual(['batch      total', '1       12.6 GiB']);
});

it('reads sizes and whole numbers', () => {
  expect(imageSides('256')).toEqual([256, 256]);
  expect(imageSides('128x256')).toEqual([128, 256]);
  expect(wholeNumber(1)('12')).toBe(12);
  expect([' 5 ', '1e3', '+7', '012', '8.0'].map(wholeNumber(1))).toEqual([5, 1000, 7, 12, 8]);
  expect(['-2', '.5', '5.', '1e-3'].map(finiteNumber)).toEqual([-2, 0.5, 5, 1e-3]);
  expect(timeInterval('0.2, 8e-1')).toEqual([0.2, 0.8]);
});

it.each(['', '0', '1x', '-8', '8x8x8'])('refuses the image size "%s"', (text) => {
  expect(() => imageSides(text)).toThrow(/pixels/);
});

it.each(['0', '-1', '1.5', '1e-3', '', '0x10', '0b1', '0o7', '1_000', 'Infinity', 'NaN', '1e400', '1e16'])(
  'refuses "%s" as a whole number from 1',
  (text) => {
    expect(() => wholeNumber(1)(text)).toThrow(/from 1/);
  },
);

it.each(['', '0x10', '0b1', 'Infinity', 'NaN', '1e400', '1,5', 'one'])('refuses "%s" as a number', (text) => {
  expect(() => finiteNumber(text)).toThrow(/must be a number/);
});

it.each(['0.8,0.2', '0.2', '0,1,1', '0,2', 'a,b', '0x0,1', ','])('refuses "%s" as an interval', (text) => {
  expect(() => timeInterval(text)).toThrow(/two times/);
});

it.skipIf(!existsSync('/bin/bash'))('gives a shell back every word, in letters that can be printed', () => {
  for (const word of ["it's", 'a\nb\u001b[2J', '\u202e\u009b\u{e0041}', `猫 "$HOME" \\'\u0007`]) {
    const shown = shellWord(word);
    expect(printable(shown)).toBe(shown);
    const env = { LC_ALL: 'C.UTF-8' };
    expect(execFileSync('/bin/bash', ['--norc', '-c', `printf %s ${shown}`], { env, encoding: 'utf8' })).toBe(
      word,
    );
  }
});

it('quotes what a shell would split', () => {
  expect(['runs/digits-2', "runs/it's mine"].map(shellWord)).toEqual([
    'runs/digits-2',
    `'runs/it'\\''s mine'`,
  ]);
});
