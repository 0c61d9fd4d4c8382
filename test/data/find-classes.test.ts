import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findClasses } from '../../src/data/find-classes.ts';

/** @returns the labels, and what was said */
function find(
  given: number | string | (number | string)[],
  names?: readonly string[],
  count = names?.length ?? 10,
) {
  const said: string[] = [];
  const labels = findClasses(
    [given].flat(),
    { count, names },
    { where: 'sample', onNotice: (text) => said.push(text) },
  );
  return { labels, said };
}
const labels = (...given: Parameters<typeof find>): number[] => {
  const found = find(...given);
  expect(found.said).toEqual([]);
  return found.labels;
};

const folders = ['0', '1', '10', '11', '2'];
const times = ['0', '2', '4', '8', 'and so on'];
const fish = ['tench, Tinca tinca', 'goldfish, Carassius auratus', 'cat', 'Tinca tinca'];

describe('labels by name', () => {
  it('come before numbers: 2 is the class that is called 2', () => {
    expect(labels('2', folders)).toEqual([4]);
    expect(labels('10,2', folders)).toEqual([2, 4]);
    expect(labels('2,8', times)).toEqual([1, 3]);
    expect(labels('0-2', folders)).toEqual([0, 1, 4]);
  });

  it('may hold commas, alone, in a list or in quotes', () => {
    expect(labels('tench, Tinca tinca', fish)).toEqual([0]);
    expect(labels('tench, Tinca tinca,cat', fish)).toEqual([0, 2]);
    expect(labels('cat, goldfish, Carassius auratus', fish)).toEqual([2, 1]);
    expect(labels('"tench, Tinca tinca",cat', fish)).toEqual([0, 2]);
    expect(labels(`cat , 'Tinca tinca'`, fish)).toEqual([2, 3]);
    expect(labels(['cat', 'tench, Tinca tinca'], fish)).toEqual([2, 0]);
  });

  it('may look like ranges, numbers, quotes or lists', () => {
    const odd = ['0-9', '10-19', '-1', '#1', '"a"', `it's`, 'a,b', 'a', '1.5', ' b '];
    for (const [label, name] of odd.entries()) expect(labels(name, odd)).toEqual([label]);
    expect(labels('0-9,10-19', odd)).toEqual([0, 1]);
    expect(labels('a,b,a', odd)).toEqual([6, 7]);
    expect(labels(`"""a""",'it''s'`, odd)).toEqual([4, 5]);
    expect(labels('" b ",#9', odd)).toEqual([9, 9]);
  });

  it('may be in another case or form where one class only can be meant, which is said', () => {
    const names = ['caf\u00e9', 'Cat', 'DOG', 'dog', '2.0', ' b '];
    expect(find('CAT', names)).toEqual({
      labels: [1],
      said: [`labels that are no class's name: "CAT" (taken for "Cat")`],
    });
    expect(find('cafe\u0301,b', names)).toEqual({
      labels: [0, 5],
      said: [
        `labels that are no class's name: "cafe\\u{301}" (taken for "caf\\u{e9}"), "b" (taken for " b ")`,
      ],
    });
    expect(find('2', names).labels).toEqual([4]);
    expect(labels('dog', names)).toEqual([3]);
    expect(() => find('Dog', names)).toThrow(
      /labels must be one of several classes that could be meant, by its number: #2 is "DOG", #3 is "dog", got Dog$/,
    );
  });

  it('may come twice in a set, and are then told apart by number', () => {
    const cranes = ['crane', 'dog', 'crane'];
    expect(() => find('crane', cranes)).toThrow(/by its number: #0 is "crane", #2 is "crane", got/);
    expect(labels('#2', cranes)).toEqual([2]);
  });
});

it('finds any class by its name, alone and among others in quotes', () => {
  const letters = fc.constantFrom('a', 'B', '1', ' ', ',', '"', "'", '#', '-', 'é', '猫', '\n');
  const name = fc.string({ unit: letters, minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 6 }), (names) => {
      for (const [label, each] of names.entries()) expect(labels(each, names)).toEqual([label]);
      const quoted = names.map((each) => `"${each.replaceAll('"', '""')}"`);
      fc.pre(names.length > 1 && !names.some((each) => each.includes('"')));
      expect(labels(quoted.join(','), names)).toEqual([...names.keys()]);
    }),
    { numRuns: 500 },
  );
});

describe('labels by number', () => {
  it('are indices, each or a range of them', () => {
    expect(labels('0,3, 7')).toEqual([0, 3, 7]);
    expect(labels('0-3,7')).toEqual([0, 1, 2, 3, 7]);
    expect(labels([2, 0, 0])).toEqual([2, 0, 0]);
    expect(labels(['#2', '#3-#4,#0-1'], folders)).toEqual([2, 3, 4, 0, 1]);
    expect(labels('cat, 3', fish)).toEqual([2, 3]);
    expect(labels(2, folders)).toEqual([2]);
  });

  it('are said where other classes are called by numbers', () => {
    expect(find('3', times)).toEqual({
      labels: [3],
      said: [`labels that are no class's name: "3" (taken for #3, which is "8")`],
    });
    expect(find('1,3', times).said).toEqual([
      `labels that are no class's name: "1" (taken for #1, which is "2"), "3" (taken for #3, which is "8")`,
    ]);
  });

  it('of a range are all names or all indices', () => {
    expect(() => find('0-3', times)).toThrow(
      /labels must be names of classes, or #0-3 for their numbers: 0, 2 are names, 1, 3 are none, got 0-3$/,
    );
    expect(labels('00-02', ['00', '01', '02'])).toEqual([0, 1, 2]);
  });
});

describe('labels that no class has', () => {
  it.each(['', '1,', ',', '-1', '3-1', '1.5', '0-99999999', '#10', '#8-10', '#', '10', 'x', '"1"'])(
    '"%s"',
    (text) => {
      expect(() => find(text)).toThrow(/^sample: labels must be classes of the model, from 0 to 9, got /);
    },
  );

  it('are refused with names in quotes that hold commas', () => {
    expect(() => find('shark', fish)).toThrow(
      /names of them: "tench, Tinca tinca", .*, cat, Tinca tinca, got/,
    );
  });

  it('are refused with the nearest name, and with some of many', () => {
    const names = Array.from({ length: 1000 }, (_, i) => `kind ${i}`).concat('goldfinch');
    expect(() => find('goldfish', names)).toThrow(
      /from 0 to 1000 or names of them: kind 0, .*, kind 4 and 996 more, got goldfish Did you mean "goldfinch"\?$/,
    );
  });
});

it('finds among many classes at once', () => {
  const names = Array.from({ length: 100_000 }, (_, i) => `class, ${i}`);
  expect(labels('class, 99999,class, 5', names)).toEqual([99_999, 5]);
  expect(find('CLASS, 7', names).labels).toEqual([7]);
}, 20_000);
