// The declarations of the core need no types of Node.js: a program for browsers is checked with those of the DOM alone.
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { startNode, temporaryFolder } from '../support/cli.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const program = `
import { MemoryStore, type RunStore, Trainer, type TrainingInput, referenceBackend, trace } from 'rectiflow/core';

const store: RunStore = new MemoryStore();
const stop: AbortSignal = new AbortController().signal;
export const input: TrainingInput = { model: { kind: 'custom', classes: 0 }, train: { steps: 3 } };
export const run = (trainer: Trainer): Promise<unknown> => trainer.run(stop);
export const program = trace('nothing', () => ({}));
export const backend = referenceBackend().describe().toUpperCase();
document.title = store.path;
`;

it('is checked in a project for browsers, without types of Node.js', { timeout: 180_000 }, async () => {
  const project = await temporaryFolder();
  await mkdir(join(project, 'node_modules'));
  await symlink(root, join(project, 'node_modules/rectiflow'));
  await writeFile(join(project, 'package.json'), '{"type": "module"}');
  await writeFile(join(project, 'page.ts'), program);
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: 'es2023',
    module: 'nodenext',
    lib: ['es2023', 'dom'],
    types: [],
    skipLibCheck: false,
  };
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['page.ts'] }));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { code, stdout } = await startNode(project, [tsc, '-p', '.']).finished;
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
});
