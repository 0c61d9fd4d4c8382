import { describe, expect, it } from 'vitest';
import { adviseNames } from '../../src/data/alike.ts';

describe('classes that are easily mistaken', () => {
  it.each([
    ['case', ['Cat', 'cat'], '"Cat" and "cat"'],
    ['case beyond ASCII', ['STRASSE', 'Straße'], '"STRASSE" and "Straße"'],
    ['forms of letters', ['caf\u00e9', 'cafe\u0301'], String.raw`"caf\u{e9}" and "cafe\u{301}"`],
    ['compatible letters', ['CD4+', 'CD4⁺'], String.raw`"CD4+" and "CD4\u{207a}"`],
    ['spaces', ['cat', 'cat ', ' cat'], '"cat" and "cat " and " cat"'],
    ['kinds of spaces', ['red fox', 'red\u00a0fox'], String.raw`"red fox" and "red\u{a0}fox"`],
    ['what is invisible', ['cat', 'ca\u200bt'], String.raw`"cat" and "ca\u200bt"`],
    ['scripts', ['cop', 'сор'], String.raw`"cop" and "\u{441}\u{43e}\u{440}"`],
    ['names of folders', ['a/b', 'a:b'], '"a/b" and "a:b"'],
    ['nothing at all', ['crane', 'crane'], '"crane" and "crane"'],
    ['nothing at all, in any script', ['猫', '猫'], '"猫" and "猫"'],
    ['very many', Array.from('!?*+:;', (sign) => `a${sign}`), '"a!" and "a?" and "a*" and "a+" and 2 more'],
  ])('by %s', (_, names, listed) => {
    expect(adviseNames(['dog', ...names, 'bird'])).toEqual([
      `Classes are easily mistaken for each other, by case, spaces, forms of letters or in paths: ${listed}. Rename or merge them.`,
    ]);
  });

  it('are none where names differ', () => {
    expect(adviseNames(['猫', '犬', 'cat', 'cats', 'e', 'é', 'CD4 T', 'CD8 T', 'बिल्ली', 'बल्ला'])).toEqual([]);
  });

  it('are those without a name that one can see', () => {
    expect(adviseNames(['cat', '', 'dog', ' \u200b'])).toEqual([
      'Names of classes that show nothing: of class 1, 3. Name them.',
      expect.stringContaining(String.raw`"" and " \u200b"`),
    ]);
  });

  it('are some of many', () => {
    const names = Array.from({ length: 100_000 }, (_, i) => `class ${i >> 1}`);
    expect(adviseNames(names).join('')).toMatch(
      /"class 4" and "class 4" and 49995 more\. Rename or merge them\.$/,
    );
  });
});
