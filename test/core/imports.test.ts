// The core runs in any JavaScript host: no module that it reaches imports a package, or asks its host for what Node.js alone has.
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { runtimeNeeds } from '../support/module-graph.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What the language has itself, and what browsers, workers and Node.js have beside it. */
const everywhere = new Set<string>([
  ...(runInNewContext('Object.getOwnPropertyNames(globalThis)') as string[]),
  'AbortController',
  'MessageChannel',
  'Response',
  'TextDecoder',
  'TextEncoder',
  'TransformStream',
  'URL',
  'clearTimeout',
  'fetch',
  'performance',
  'setTimeout',
  'structuredClone',
]);

/** @returns what each module that is reached lacks in other hosts, with the way of imports that leads to it */
function faultsOf(entry: string, read: (file: string) => string): string[] {
  const faults: string[] = [];
  const ways = new Map([[entry, [entry]]]);
  // A map that grows while it is walked visits what is added.
  for (const [file, way] of ways) {
    const { imports, globals } = runtimeNeeds(read(file));
    const told = (what: string): number => faults.push([...way, what].join(' -> '));
    for (const name of globals) if (!everywhere.has(name)) told(`uses ${name}`);
    for (const specifier of imports) {
      const target = relative(root, join(root, dirname(file), specifier));
      if (!specifier.startsWith('.')) told(specifier);
      else if (!ways.has(target)) ways.set(target, [...way, target]);
    }
  }
  return faults;
}

const fromDisk = (file: string): string => readFileSync(join(root, file), 'utf8');

it('reaches no package and nothing of Node.js', () => {
  expect(faultsOf('src/core.ts', fromDisk)).toEqual([]);
});

it('would be seen to, with the way that leads there', () => {
  const files: Record<string, string> = {
    'src/a.ts':
      "import { type A, b } from './b.ts'; import type { C } from 'node:fs'; export const x: A = b;",
    'src/b.ts': "export * from './c.ts'; export const b = { process: 1 }.process; // Buffer",
    'src/c.ts':
      "import { readFile } from 'node:fs/promises'; export const q = (await import('zod')) as Buffer;",
  };
  expect(faultsOf('src/a.ts', (file) => files[file]!)).toEqual([
    'src/a.ts -> src/b.ts -> src/c.ts -> node:fs/promises',
    'src/a.ts -> src/b.ts -> src/c.ts -> zod',
  ]);
  files['src/c.ts'] =
    'export function size(text: string, { length = setImmediate }): number { return Buffer.from(text).length; }';
  expect(faultsOf('src/a.ts', (file) => files[file]!)).toEqual([
    'src/a.ts -> src/b.ts -> src/c.ts -> uses setImmediate',
    'src/a.ts -> src/b.ts -> src/c.ts -> uses Buffer',
  ]);
});

it('is built as one file that imports nothing', () => {
  const { imports, globals } = runtimeNeeds(fromDisk('dist/core.js'));
  expect({ imports, globals: globals.filter((name) => !everywhere.has(name)) }).toEqual({
    imports: [],
    globals: [],
  });
});
