import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { temporaryFolder } from './support/cli.ts';
import { brokenCompiler } from './support/compiler.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** A copy of what the script needs, so that the kernels of this checkout stay as they are. */
async function checkout(): Promise<string> {
  const folder = await temporaryFolder();
  for (const part of ['scripts', 'native', 'binding.gyp', 'package.json'])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

function buildNative(folder: string, environment: NodeJS.ProcessEnv, ids: { uid?: number } = {}) {
  const env = { ...process.env, npm_lifecycle_event: '', ...environment };
  const script = join(folder, 'scripts/build-native.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { env, encoding: 'utf8', ...ids });
  return { status, stdout, stderr };
}

it('installs without a compiler, says what to install, and keeps it', async () => {
  const folder = await checkout();
  const env = { CXX: 'no-such-compiler', npm_config_python: 'no-such-python' };
  const { status, stdout } = buildNative(folder, env);
  expect(status).toBe(0);
  expect(stdout).toContain('were not built: a C++17 compiler and Python 3 not found');
  expect(stdout).toContain('apt-get install build-essential python3');
  expect(stdout).toContain('reference backend');
  expect(readFileSync(join(folder, 'build/native.log'), 'utf8')).toBe(stdout);
});

it('installs where the compiler fails, keeps its words, and no kernels of an earlier version', async () => {
  const folder = await checkout();
  const CXX = brokenCompiler(folder);
  const addon = join(folder, 'build/Release/rectiflow.node');
  mkdirSync(join(folder, 'build/Release'), { recursive: true });
  writeFileSync(addon, '');
  const { status, stderr } = buildNative(folder, { CXX, npm_lifecycle_event: 'install' });
  expect(status).toBe(0);
  const log = join(folder, 'build/native.log');
  expect(stderr).toContain(`the whole output of the build is in ${log}\n`);
  expect(stderr).toContain('everything runs on the reference backend');
  expect(readFileSync(log, 'utf8')).toContain('internal compiler error: Killed');
  expect(existsSync(addon)).toBe(false);
  // By hand it is an error.
  expect(buildNative(folder, { CXX }).status).toBe(1);
});

it('installs where the build cannot even begin', async () => {
  const folder = await checkout();
  rmSync(join(folder, 'node_modules'));
  const { status, stderr } = buildNative(folder, { npm_lifecycle_event: 'install' });
  expect(status).toBe(0);
  expect(stderr).toMatch(/^Cannot find module 'node-gyp[^]*the native CPU kernels were not built/);
  expect(readFileSync(join(folder, 'build/native.log'), 'utf8')).toContain("Cannot find module 'node-gyp");
});

it('says in a sentence that a checkout is read-only', async () => {
  const folder = await checkout();
  chmodSync(folder, 0o555);
  // Nothing is read-only for root.
  const nobody = process.getuid?.() === 0 ? { uid: 65534 } : {};
  const { status, stdout, stderr } = buildNative(folder, { npm_lifecycle_event: 'install' }, nobody);
  chmodSync(folder, 0o755);
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: '',
    stderr: `rectiflow: the native CPU kernels were not built, because ${join(folder, 'build')} cannot be written (EACCES); everything runs on the reference backend, slowly.\n`,
  });
});

it('says so of what is made of the sources, too', async () => {
  const folder = await checkout();
  writeFileSync(join(folder, 'dist'), '');
  const script = join(folder, 'scripts/bundle.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script], { cwd: folder, encoding: 'utf8' });
  const said = `rectiflow: nothing was built, because ${join(folder, 'dist')} cannot be written (ENOTDIR).\n`;
  expect({ status, stderr }).toEqual({ status: 1, stderr: said });
});

// A kernel is compiled for instruction sets that this machine's tests may never choose: the compiler sees what they do not.
it('builds the kernels without a warning', (context) => {
  const log = fileURLToPath(new URL('../build/native.log', import.meta.url));
  if (!existsSync(log)) context.skip('the kernels were not built here');
  expect(
    readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.includes('warning:')),
  ).toEqual([]);
});
