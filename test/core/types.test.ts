// The declarations need no types that a program has no use for: one for browsers is checked with those of the DOM alone, one for
// Node.js without those of WebGPU.
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { startNode, temporaryFolder } from '../support/cli.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const program = `
import { MemoryStore, type RunStore, Trainer, type TrainingInput, referenceBackend, trace, webGpuBackend } from 'rectiflow/core';

const store: RunStore = new MemoryStore();
const stop: AbortSignal = new AbortController().signal;
export const input: TrainingInput = { model: { kind: 'custom', classes: 0 }, train: { steps: 3 } };
export const run = (trainer: Trainer): Promise<unknown> => trainer.run(stop);
export const program = trace('nothing', () => ({}));
export const backend = referenceBackend().describe().toUpperCase();
export const name: Promise<string> = webGpuBackend(navigator.gpu, { precision: 'auto' }).then(({ facts }) => facts.name);
document.title = store.path;
`;

const nodeProgram = `
import { nodeWebGpuBackend } from 'rectiflow';

export const name: Promise<string> = nodeWebGpuBackend({ precision: 'auto' }).then(({ facts }) => facts.name);
`;

it.each([
  ['browsers, without types of Node.js', 'page.ts', program, { lib: ['es2023', 'dom'], types: [] }],
  ['Node.js, without types of WebGPU', 'program.ts', nodeProgram, { lib: ['es2023'], types: ['node'] }],
])('is checked in a project for %s', { timeout: 180_000 }, async (_, file, text, settings) => {
  const project = await temporaryFolder();
  await mkdir(join(project, 'node_modules/@types'), { recursive: true });
  await symlink(root, join(project, 'node_modules/rectiflow'));
  await symlink(join(root, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'));
  await writeFile(join(project, 'package.json'), '{"type": "module"}');
  await writeFile(join(project, file), text);
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: 'es2023',
    module: 'nodenext',
    skipLibCheck: false,
    ...settings,
  };
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { code, stdout } = await startNode(project, [tsc, '-p', '.']).finished;
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
});
