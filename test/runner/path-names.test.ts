import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pathNames } from '../../src/runner/samples/path-names.ts';
import { temporaryFolder } from '../support/cli.ts';

describe('folders of classes', () => {
  it.each([
    ['cat', 'cat'],
    ['CD4+ T', 'CD4_ T'],
    ['tench, Tinca tinca', 'tench_ Tinca tinca'],
    ['बिल्ली', 'बिल्ली'],
    ['e\u0301', 'e\u0301'],
    ['..', '_'],
    ['.hidden', '_hidden'],
    ['../../etc', '__.._etc'],
    ['a/b\\c:d', 'a_b_c_d'],
    ['end. ', 'end_'],
    [' b', '_b'],
    ['. .a. .', '_a_'],
    ['nul', '_nul'],
    ['COM1.png', '_COM1.png'],
    ['company', 'company'],
    ['', '_'],
    ['\u001b[2J\n', '__2J_'],
    ['猫'.repeat(100), '猫'.repeat(80)],
  ])('"%s" is in "%s"', (name, folder) => {
    expect(pathNames([name])).toEqual([folder]);
  });

  it('differ where names do, also where systems see no difference', () => {
    expect(pathNames(['a/b', 'a:b', 'a_b'])).toEqual(['a_b-0', 'a_b-1', 'a_b']);
    expect(pathNames(['Cat', 'cat', 'CAT'])).toEqual(['Cat', 'cat-1', 'CAT-2']);
    expect(pathNames(['e\u0301', '\u00e9'])).toEqual(['e\u0301', '\u00e9-1']);
    expect(pathNames(['crane', 'dog', 'crane'])).toEqual(['crane', 'dog', 'crane-2']);
    expect(pathNames(['a?', 'a!', 'a_-1'])).toEqual(['a_', 'a_-1_', 'a_-1']);
    expect(pathNames(['STRASSE', 'Straße'])).toEqual(['STRASSE', 'Straße-1']);
    const long = 'x'.repeat(300);
    expect(new Set(pathNames([`${long}1`, `${long}2`])).size).toBe(2);
  });

  it('are made by the system, one for each class, of any names', async () => {
    const folder = await temporaryFolder();
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'binary', maxLength: 8 }), { maxLength: 8 }),
        async (names) => {
          const paths = pathNames(names);
          const here = join(folder, String(round++));
          await mkdir(here);
          for (const path of paths) await mkdir(join(here, path));
          expect((await readdir(here)).length).toBe(names.length);
          expect(new Set(paths.map((path) => path.toUpperCase())).size).toBe(names.length);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('of many classes are found at once', () => {
    const names = Array.from({ length: 100_000 }, (_, i) => `class?${i % 50_000}`);
    expect(new Set(pathNames(names)).size).toBe(100_000);
  }, 20_000);
});
