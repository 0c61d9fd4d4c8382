import { describe, expect, it } from 'vitest';
import { closest, didYouMean, editDistance } from '../../src/tensor/suggest.ts';

const settings = [
  'width',
  'depth',
  'heads',
  'patchSize',
  'steps',
  'batchSize',
  'learningRate',
  'seed',
  'ema',
];

describe('a guess at what was meant', () => {
  it.each([
    ['stpes', 'steps'],
    ['step', 'steps'],
    ['Depth', 'depth'],
    ['learning_rate', 'learningRate'],
    ['learningrate', 'learningRate'],
    ['learninRate', 'learningRate'],
    ['batch', 'batchSize'],
    ['pathSize', 'patchSize'],
    ['sede', 'seed'],
  ])('is for %s %s', (name, meant) => {
    expect(closest(name, settings)).toBe(meant);
  });

  it.each(['lr', 'x', 'wings', 'wolf', 'epoch', 'bird', 'stop', '', 'rate'])('is none for %j', (name) => {
    expect(didYouMean(name, settings)).toBe('');
  });

  it.each([
    ['cat', ['dog', 'bird', 'cow']],
    ['bird', ['bed', 'bread']],
    ['face', ['race car', 'fade out']],
    ['rose', ['nose ring', 'dog']],
    ['10', ['0', '1', '2', '100']],
    ['7', ['1']],
    ['3-9', ['3', '9']],
    ['de', ['fr', 'es', 'dx']],
  ])('is none for %s among %j, which only look a little like it', (name, known) => {
    expect(closest(name, known)).toBeUndefined();
  });

  it('is of the same number however it is written', () => {
    expect(closest('1-0', ['10', '11'])).toBe('10');
  });

  it('comes to the nearest, the first of equals', () => {
    expect(closest('kind 12x', ['kind 1', 'kind 12', 'kind 13'])).toBe('kind 12');
  });
});

it.each([
  ['', 'abc', 3],
  ['abc', 'abc', 0],
  ['abcd', 'abdc', 1],
  ['kitten', 'sitting', 3],
])('from %j to %j there are %i changes', (a, b, changes) => {
  expect(editDistance(a, b)).toBe(changes);
  expect(editDistance(b, a)).toBe(changes);
});
