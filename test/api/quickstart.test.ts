import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { type Finished, dist, startNode, temporaryFolder } from '../support/cli.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

const unchanged = `export * from ${JSON.stringify(pathToFileURL(join(dist, 'index.js')))};`;

/** The package as the example sees it when it is run: the real one, but for a training of three steps. */
const shortened = `
  import * as rectiflow from ${JSON.stringify(pathToFileURL(join(dist, 'index.js')))};
  export const { sample, writeSamples } = rectiflow;
  const small = { width: 32, depth: 1, heads: 1, patchSize: 7 };
  const short = { steps: 3, batchSize: 4, logEvery: 1 };
  export const train = (config, options) =>
    rectiflow.train({ ...config, model: small, train: short, sample: { steps: 2, perClass: 1 } }, options);`;

/** Where the examples are compiled. */
let compiled: string;

beforeAll(async () => {
  compiled = await temporaryFolder();
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const options = ['-p', join(root, 'examples'), '--noEmit', 'false', '--outDir', compiled];
  const { code, stdout, stderr } = await startNode(root, [tsc, ...options]).finished;
  if (code !== 0) throw new Error(`The examples do not compile:\n${stdout}${stderr}`);
});

/** Runs an example in a folder of its own, in which `rectiflow` is installed. */
async function runExample(name: string, rectiflow: string): Promise<Finished> {
  const folder = await temporaryFolder();
  const installed = join(folder, 'node_modules/rectiflow');
  await mkdir(installed, { recursive: true });
  await writeFile(join(installed, 'package.json'), '{ "type": "module", "exports": "./index.js" }');
  await writeFile(join(installed, 'index.js'), rectiflow);
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await copyFile(join(compiled, `${name}.js`), join(folder, `${name}.js`));
  return startNode(folder, [`${name}.js`]).finished;
}

it.each([
  ['README.md', 'quickstart'],
  ['docs/data.md', 'custom-source'],
  ['docs/training.md', 'own-model'],
  ['docs/training.md', 'own-objective'],
  ['docs/training.md', 'own-times'],
  ['docs/training.md', 'own-sink'],
])('%s shows the example that is tested', async (page, name) => {
  const [text, example] = await Promise.all(
    [page, `examples/${name}.ts`].map((file) => readFile(join(root, file), 'utf8')),
  );
  expect(text).toContain(`\`\`\`ts\n${example}\`\`\``);
});

it('the example of the README compiles, trains and samples', async () => {
  const { code, stdout, stderr } = await runExample('quickstart', shortened);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^step 1: loss 1\.\d{3}\nstep 2: .*\nstep 3: .*\nLook at sevens\.png\n$/);
});

it('the example of a source of its own is checked, drawn and trained on', async () => {
  const { code, stdout, stderr } = await runExample('custom-source', unchanged);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(stdout).toContain("{ name: 'small', count: 5000 }, { name: 'large', count: 5000 }");
  expect(stdout).toMatch(/^Trained in runs.discs$/m);
});

it.each([
  ['own-model', /^4 samples of runs.own-model\n$/],
  ['own-objective', /^4 samples of runs.own-objective\n$/],
  ['own-times', /^Trained in runs.own-times\n$/],
  ['own-sink', /^own-sink, after step 0\n(step .*\n)*finished\n$/],
])('the example %s trains', async (name, output) => {
  const { code, stdout, stderr } = await runExample(name, unchanged);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(stdout).toMatch(output);
});
