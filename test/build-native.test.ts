import { spawnSync } from 'node:child_process';
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
