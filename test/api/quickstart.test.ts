import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { dist, startNode, temporaryFolder } from '../support/cli.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The package as the example sees it when it is run: the real one, but for a training of three steps. */
const shortened = `
  import * as rectiflow from ${JSON.stringify(pathToFileURL(join(dist, 'index.js')))};
  export const { sample, writeSamples } = rectiflow;
  const small = { width: 32, depth: 1, heads: 1, patchSize: 7 };
  const short = { steps: 3, batchSize: 4, logEvery: 1 };
  export const train = (config, options) =>
    rectiflow.train({ ...config, model: small, train: short, sample: { steps: 2, perClass: 1 } }, options);`;

it('the README shows the example that is tested', async () => {
  const [readme, example] = await Promise.all(
    ['README.md', 'examples/quickstart.ts'].map((file) => readFile(join(root, file), 'utf8')),
  );
  expect(readme).toContain(`\`\`\`ts\n${example}\`\`\``);
});

it('the example of the README compiles, trains and samples', async () => {
  const folder = await temporaryFolder();
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const options = ['-p', join(root, 'examples'), '--noEmit', 'false', '--outDir', folder];
  expect(await startNode(root, [tsc, ...options]).finished).toEqual({ code: 0, stdout: '', stderr: '' });

  const installed = join(folder, 'node_modules/rectiflow');
  await mkdir(installed, { recursive: true });
  await writeFile(join(installed, 'package.json'), '{ "type": "module", "exports": "./index.js" }');
  await writeFile(join(installed, 'index.js'), shortened);
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  const { code, stdout, stderr } = await startNode(folder, ['quickstart.js']).finished;
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^step 1: loss 1\.\d{3}\nstep 2: .*\nstep 3: .*\nLook at sevens\.png\n$/);
});
