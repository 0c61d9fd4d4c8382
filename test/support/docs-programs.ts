// The programs that a page of docs/ shows, as the compiler of a project sees them that has the package.
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startNode, temporaryFolder } from './cli.ts';
import { docsBlocks } from './docs.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** @param text of the page @returns how many programs there are, and what the compiler says of them: nothing where they are right */
export async function compilePrograms(
  text: string,
): Promise<{ readonly programs: number; readonly code: number | null; readonly stdout: string }> {
  const project = await temporaryFolder();
  await mkdir(join(project, 'node_modules'));
  await symlink(root, join(project, 'node_modules/rectiflow'));
  await writeFile(join(project, 'package.json'), '{"type": "module"}');
  const programs = docsBlocks(text, 'ts');
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
  return { programs: programs.length, code, stdout };
}
