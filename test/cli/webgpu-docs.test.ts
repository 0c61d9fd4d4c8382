// docs/webgpu.md: its programs are checked, its commands are ones that there are.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { rectiflow, temporaryFolder } from '../support/cli.ts';
import { compilePrograms } from '../support/docs-programs.ts';
import { docsCommands } from '../support/docs.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = await readFile(join(root, 'docs/webgpu.md'), 'utf8');

it('has programs that are right, for pages and for Node.js', { timeout: 60_000 }, async () => {
  expect(await compilePrograms(text)).toEqual({ programs: 2, code: 0, stdout: '' });
});

it('has commands whose options are known', { timeout: 60_000 }, async () => {
  const folder = await temporaryFolder();
  const commands = docsCommands(text);
  expect(commands.map(([name]) => name)).toEqual(['doctor', 'train']);
  // The last error there can be before anything is done: all else has been understood.
  for (const args of commands) {
    const { stderr } = await rectiflow(folder, [...args, '--precision', 'half']);
    expect(stderr).toBe(
      'error: recipe digits: train.precision: wanted one of auto, fp32, bf16, fp16, found "half"\n',
    );
  }
});
