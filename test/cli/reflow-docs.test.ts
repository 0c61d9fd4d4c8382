// What docs/reflow.md says, done in small.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse } from 'yaml';
import { beforeAll, describe, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { readRun } from '../../src/runs/run-folder.ts';
import { type Finished, dist, rectiflow, startNode, temporaryFolder } from '../support/cli.ts';
import { docsBlocks, docsCommands } from '../support/docs.ts';

let folder: string;
let page: string;
const settings = [
  'data.split=test',
  'model.width=16',
  'model.depth=1',
  'model.heads=2',
  'model.patchSize=14',
];
const small = [...settings, 'train.batchSize=4', 'train.steps=3', 'sample.perClass=1', 'backend.threads=1'];
const smaller: Readonly<Record<string, readonly string[]>> = {
  train: small.flatMap((setting) => ['--set', setting]),
  reflow: ['--steps', '2', '--straightness', '2'],
  straightness: ['--count', '2', '--steps', '4'],
  compare: ['--count', '10'],
};

/** A command of the page, with as little to do as there can be. */
function run(args: readonly string[]): Promise<Finished> {
  const fewer = args.map((arg, i) => (args[i - 1] === '--pairs' ? '24' : arg));
  return rectiflow(folder, [...fewer, ...(smaller[args[0]!] ?? [])]);
}

beforeAll(async () => {
  folder = await temporaryFolder();
  page = await readFile(new URL('../../docs/reflow.md', import.meta.url), 'utf8');
});

describe('docs/reflow.md', () => {
  it('has commands that do what it says', async () => {
    const commands = docsCommands(page);
    expect(commands.map(([name]) => name)).toEqual([
      'train',
      'reflow',
      'reflow',
      'sample',
      'sample',
      'straightness',
      'compare',
    ]);
    for (const args of commands) {
      const { code, stderr } = await run(args);
      expect([args, code, stderr]).toEqual([args, 0, expect.not.stringContaining('error')]);
    }
    const config = async (name: string): Promise<unknown> =>
      (await readRun(join(folder, 'runs', name))).config;
    const shared = { lossWeighting: { kind: 'none' }, labelDropout: 0, coupling: 'pairs' };
    expect(await config('digits-reflow')).toMatchObject({
      flow: { ...shared, timeSampling: { kind: 'u-shaped', a: 4 } },
      sample: { guidance: 1 },
      ema: { ramp: false },
      heldOut: { count: 0 },
    });
    expect(await config('digits-reflow-distilled')).toMatchObject({
      flow: { ...shared, timeSampling: { kind: 'steps', steps: 1 } },
      sample: { guidance: 1, sampler: 'euler', steps: 1 },
    });
    const checked = await rectiflow(folder, ['data', 'check', 'pairs/digits-reflow']);
    expect(checked.stdout).toMatch(/^pairs +noise, and what runs\/digits, step 3 made of it$/m);
    // Of so few pairs some classes have none; the values of samples are right as they are.
    expect(checked.stdout).not.toMatch(/not in \[-1, 1\]/);
    expect((await rectiflow(folder, ['data', 'verify', 'pairs/digits-reflow'])).code).toBe(0);
  });

  it('has a config that learns from pairs', () => {
    const [block] = docsBlocks(page, 'yaml').map((text) => parse(text) as ConfigInput);
    const paired = { weights: 'a', model: 'b' };
    const facts = { name: 'pairs', count: 9, shape: [1, 28, 28], classes: 10, paired };
    expect(resolveConfig(block!, { facts }).flow).toMatchObject({ coupling: 'pairs', labelDropout: 0 });
  });

  it('has code that runs', async () => {
    const [code] = docsBlocks(page, 'js');
    const installed = join(folder, 'node_modules/rectiflow');
    await mkdir(installed, { recursive: true });
    await writeFile(join(installed, 'package.json'), '{ "type": "module", "exports": "./index.js" }');
    const index = JSON.stringify(pathToFileURL(join(dist, 'index.js')));
    await writeFile(join(installed, 'index.js'), `export * from ${index};`);
    const less = code!
      .replace('pairs: 2000', 'steps: 2, pairs: 20')
      .replace('steps: 300', 'steps: 2')
      .replaceAll('count: 16', 'count: 2, steps: 4')
      .replace('count: 100', 'count: 10');
    await writeFile(join(folder, 'example.mjs'), less);
    const { code: status, stdout, stderr } = await startNode(folder, ['example.mjs']).finished;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^20 (true|false)\n\[ 1, 1 \]\n$/);
  });
});
