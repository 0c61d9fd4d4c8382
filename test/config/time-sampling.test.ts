import { expect, test } from 'vitest';
import type { ConfigInput } from '../../src/config/config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';

type Times = NonNullable<NonNullable<ConfigInput['flow']>['timeSampling']>;

function resolve(timeSampling: Times): unknown {
  const config = {
    data: { source: 'digits' },
    model: { preset: 'DiT-Ti/4' },
    flow: { timeSampling },
  } as const;
  return resolveConfig(config).flow.timeSampling;
}

test.each<[Times, RegExp]>([
  [{ kind: 'u-shaped', a: 0 }, /timeSampling.a: wanted a number from 0.1 to 50, found 0/],
  [{ kind: 'u-shaped', a: 51 }, /timeSampling.a: wanted a number from 0.1 to 50, found 51/],
  [{ kind: 'steps', steps: 0 }, /timeSampling.steps: wanted a whole number from 1 to 1,?000, found 0/],
  [{ kind: 'steps', steps: 1001 }, /timeSampling.steps: wanted a whole number from 1 to 1,?000, found 1001/],
])('%j is refused', (times, message) => {
  expect(() => resolve(times)).toThrow(message);
});

test('what is left out is as the papers have it', () => {
  expect(resolve({ kind: 'u-shaped' })).toEqual({ kind: 'u-shaped', a: 4, stratified: false, shift: 1 });
  expect(resolve({ kind: 'steps' })).toEqual({ kind: 'steps', steps: 1, stratified: false, shift: 1 });
});
