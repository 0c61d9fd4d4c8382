// What is not loaded before it is needed: it would cost every command a tenth of a second or more.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { dist } from '../support/cli.ts';

/** Runs a module in a process that refuses to load some packages. */
async function runWithout(packages: readonly string[], module: string, ...args: string[]): Promise<string> {
  const hooks = `export function load(url, context, next) {
    const [, name] = /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url) ?? [];
    if (${JSON.stringify(packages)}.includes(name)) throw new Error('loads ' + name);
    return next(url, context);
  }`;
  const dataUrl = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`;
  const register = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hooks))});`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--import',
    dataUrl(register),
    dist + module,
    ...args,
  ]);
  return stdout;
}

const heavy = [
  'sharp',
  'yaml',
  'hyparquet',
  'h5wasm',
  '@huggingface/tokenizers',
  'hono',
  '@hono/node-server',
];

it('the library loads without what only some data need', async () => {
  await expect(runWithout(heavy, 'index.js')).resolves.toBe('');
});

it('help is shown without what commands are done with', async () => {
  expect(await runWithout(heavy, 'cli/main.js', '--help')).toContain('rectiflow train digits');
});

it('a package that is refused is noticed', async () => {
  await expect(runWithout(['commander'], 'cli/main.js', '--help')).rejects.toThrow('loads commander');
});
