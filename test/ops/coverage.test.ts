import { readFileSync, readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ops } from '../../src/ops/registry.ts';

it('every op has a conformance test', () => {
  const folder = new URL('.', import.meta.url);
  const tests = readdirSync(folder)
    .map((name) => readFileSync(new URL(name, folder), 'utf8'))
    .join('\n');
  // A constant has no inputs to vary; programs that hold one (timestepEmbedding) test it.
  const missing = Object.values(ops).filter(
    ({ kind, name }) => kind !== 'constant' && !tests.includes(`'${name}',`),
  );
  expect(missing).toEqual([]);
});
