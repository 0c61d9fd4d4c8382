// docs/webgpu.md: its programs are checked, its commands are ones that there are.
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { rectiflow, startNode, temporaryFolder } from '../support/cli.ts';
import { docsBlocks, docsCommands } from '../support/docs.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = await readFile(join(root, 'docs/webgpu.md'), 'utf8');

it('has programs that are right, for pages and for Node.js', { timeout: 60_000 }, async () => {
  const project = await temporaryFolder();
  await mkdir(join(project, 'node_modules'));
  await symlink(root, join(project, 'node_modules/rectiflow'));
  await writeFile(join(project, 'package.json'), '{"type": "module"}');
  const programs = docsBlocks(text, 'ts');
  expect(programs).toHaveLength(2);
  const files = programs.map((_, i) => `${i}.ts`);
  await Promise.all(files.map((file, i) => writeFile(join(project, file), `${programs[i]}\nexport {};\n`)));
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: 'es2023',
    module: 'nodenext',
    lib: ['es2023', 'dom'],
    types: [],
    skipLibCheck: true,
  };
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { code, stdout } = await startNode(project, [tsc, '-p', '.']).finished;
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
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
