import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('../scripts/build-native.mjs', import.meta.url));

it('installs without a compiler, and says what to install', () => {
  const env = { ...process.env, CXX: 'no-such-compiler', npm_config_python: 'no-such-python' };
  const { status, stdout } = spawnSync(process.execPath, [script], { env, encoding: 'utf8' });
  expect(status).toBe(0);
  expect(stdout).toContain('were not built: a C++17 compiler and Python 3 not found');
  expect(stdout).toContain('apt-get install build-essential python3');
  expect(stdout).toContain('reference backend');
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
