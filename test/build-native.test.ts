import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
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
  return runScript(folder, [], environment, ids);
}

function buildMpi(folder: string, environment: NodeJS.ProcessEnv) {
  return runScript(folder, ['--mpi'], environment, {});
}

function runScript(folder: string, options: string[], environment: NodeJS.ProcessEnv, ids: { uid?: number }) {
  const env = { ...process.env, npm_lifecycle_event: '', ...environment };
  const args = [join(folder, 'scripts/build-native.mjs'), ...options];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8', ...ids });
  return { status, stdout, stderr };
}

/** The programs of this machine, but for MPI. @returns a PATH */
function withoutMpi(folder: string): string {
  const programs = join(folder, 'programs');
  mkdirSync(programs);
  const places = (process.env['PATH'] ?? '').split(':').filter((place) => existsSync(place));
  for (const place of places)
    for (const name of readdirSync(place))
      if (!name.startsWith('mpi') && !existsSync(join(programs, name)))
        symlinkSync(join(place, name), join(programs, name));
  return programs;
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

describe('the addon for MPI', () => {
  it('is not there without MPI, and who asks for it is told what to install', async () => {
    const folder = await checkout();
    const stale = join(folder, 'build/Release/mpi_mpich.node');
    mkdirSync(join(folder, 'build/Release'), { recursive: true });
    writeFileSync(stale, '');
    const { status, stderr } = buildMpi(folder, { PATH: withoutMpi(folder), MPICC: '' });
    expect(status).toBe(1);
    expect(stderr).toContain('no MPI was found');
    expect(stderr).toContain('apt-get install openmpi-bin libopenmpi-dev');
    expect(readFileSync(join(folder, 'build/mpi.log'), 'utf8')).toBe(stderr);
    expect(existsSync(stale)).toBe(false);
  });

  it('is not there where it cannot be compiled, and the words of the compiler are kept', async () => {
    const folder = await checkout();
    const MPICC = join(folder, 'mpicc');
    writeFileSync(MPICC, `#!/bin/sh\necho "cc -I${folder}/mpi -L${folder}/mpi -lmpi"\n`, { mode: 0o755 });
    mkdirSync(join(folder, 'mpi'));
    // The preprocessor does not mind.
    writeFileSync(
      join(folder, 'mpi/mpi.h'),
      '#define OPEN_MPI 1\nstatic_assert(false, "broken on purpose");\n',
    );
    const { status, stdout, stderr } = buildMpi(folder, { PATH: withoutMpi(folder), MPICC });
    expect(status).toBe(1);
    expect(stdout).toContain(`building the addon for MPI (openmpi by ${MPICC}) ... failed`);
    const log = join(folder, 'build/mpi.log');
    expect(stderr).toContain(`was not built for openmpi. The compiler's words are in ${log}`);
    expect(readFileSync(log, 'utf8')).toContain('broken on purpose');
  });

  it('is not there without a compiler, which is said of it alone', async () => {
    const folder = await checkout();
    const { status, stdout } = buildMpi(folder, { CXX: 'no-such-compiler' });
    expect(status).toBe(1);
    expect(stdout).toContain('the addon for MPI was not built: a C++17 compiler not found');
    expect(existsSync(join(folder, 'build/native.log'))).toBe(false);
  });
});

// A kernel is compiled for instruction sets that this machine's tests may never choose: the compiler sees what they do not.
for (const name of ['native.log', 'mpi.log'])
  it(`builds without a warning in ${name}`, (context) => {
    const log = fileURLToPath(new URL(`../build/${name}`, import.meta.url));
    if (!existsSync(log)) context.skip('that was not built here');
    expect(
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line.includes('warning:')),
    ).toEqual([]);
  });
