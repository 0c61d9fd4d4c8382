// Joins the modules of src/ into dist/index.js, dist/cli/main.js, dist/workers/ and chunks that they share or load later: finding and loading each of
// 400 small modules takes Node.js longer than everything else that a command does before its work begins.
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { build } from 'rolldown';

/** Modules that run in threads or processes of their own, by name: `Stoppable` starts those of src/text. */
const workers = { tokenizer: './src/text/workers/tokenizer.ts', 'page-job': './src/page/jobs/worker.ts' };
/** The dependency that every training loads, of a hundred modules itself. Others stay packages, most of them loaded on demand. */
const joined = 'zod';

try {
  await rm('dist/chunks', { recursive: true, force: true });
  await mkdir('dist/chunks', { recursive: true });
} catch (error) {
  console.error(
    `rectiflow: nothing was built, because ${resolve('dist')} cannot be written (${error.code}).`,
  );
  process.exit(1);
}
const { output } = await build({
  input: {
    index: './src/index.ts',
    'cli/main': './src/cli/main.ts',
    // The core as Node.js gets it: of the same modules as the library, so that what one makes is known to the other.
    'node/core': './src/core.ts',
    ...Object.fromEntries(Object.entries(workers).map(([name, module]) => [`workers/${name}`, module])),
  },
  platform: 'node',
  external: (id) => /^[^./]/.test(id) && id !== joined,
  output: {
    dir: 'dist',
    format: 'esm',
    chunkFileNames: 'chunks/[name]-[hash].js',
    // For the lines of stack traces, which need no text.
    sourcemap: true,
    sourcemapExcludeSources: true,
  },
});
// Lines of another package's own files are nothing that users have.
for (const { fileName, moduleIds = [] } of output) {
  if (moduleIds.length === 0 || !moduleIds.every((id) => id.includes('node_modules'))) continue;
  const file = join('dist', fileName);
  await writeFile(file, (await readFile(file, 'utf8')).replace(/\n\/\/# sourceMappingURL=\S+\s*$/, '\n'));
  await rm(`${file}.map`);
}
// The core once more, as one file without imports, which browsers and workers load as it is; and its text, which debuggers of pages show.
await build({
  input: './src/core.ts',
  platform: 'browser',
  output: { file: 'dist/core.js', format: 'esm', codeSplitting: false, sourcemap: true },
});
await chmod('dist/cli/main.js', 0o755);
const license = join(dirname(createRequire(import.meta.url).resolve(`${joined}/package.json`)), 'LICENSE');
await copyFile(license, `dist/chunks/LICENSE-${joined}`);
