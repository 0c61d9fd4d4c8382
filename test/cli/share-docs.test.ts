// docs/share.md: its command makes what it says, its program is right.
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { train } from '../../src/api/train.ts';
import { bloodConfig, writeBlood } from '../support/blood.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';
import { compilePrograms } from '../support/docs-programs.ts';
import { docsCommands } from '../support/docs.ts';
import { tinyDigits } from '../support/tiny-run.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = await readFile(join(root, 'docs/share.md'), 'utf8');

it('has a command that writes the files it lists, and says what they are', { timeout: 60_000 }, async () => {
  const folder = await temporaryFolder();
  const steps = { ...tinyDigits.train, steps: 2 };
  await train({ ...tinyDigits, name: 'digits', train: steps }, { runs: join(folder, 'runs') });
  await writeFile(join(folder, 'LICENSE'), 'Anything goes.');
  const [command] = docsCommands(text);
  const { code, stdout, stderr } = await rectiflow(folder, command!);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^site: \d+ files, weights of .* in (int8|float16): samples differ by [\d.e-]+ of/);
  expect(stdout).toContain('--directory site 8000');
  const listed = ['LICENSE.txt', 'assets', 'index.html', 'manifest.json', 'weights-1.bin'];
  expect(await readdir(join(folder, 'site'))).toEqual(expect.arrayContaining(listed));
  for (const name of listed) expect(text).toContain(`\`${name}${name === 'assets' ? '/' : ''}\``);
  const again = await rectiflow(folder, command!);
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('holds a shared model already') });
});

it('brings real cells of gene expression, unless they are not wanted', { timeout: 60_000 }, async () => {
  const folder = await temporaryFolder();
  await writeBlood(join(folder, 'blood.h5ad'));
  await train(bloodConfig(join(folder, 'blood.h5ad')), { runs: join(folder, 'runs') });
  const share = async (to: string, ...flags: string[]): Promise<readonly string[]> => {
    const { code, stderr } = await rectiflow(folder, ['share', 'runs/blood', '--out', to, ...flags]);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/^note: nothing tells visitors .*\n$/),
    });
    return readdir(join(folder, to));
  };
  expect(await share('with')).toContain('cells-1.bin');
  expect(await share('without', '--no-real-cells')).not.toContain('cells-1.bin');
  for (const told of ['`cells-1.bin`', '`--no-real-cells`']) expect(text).toContain(told);
});

it('has a program that is right', { timeout: 60_000 }, async () => {
  expect(await compilePrograms(text)).toEqual({ programs: 1, code: 0, stdout: '' });
});
