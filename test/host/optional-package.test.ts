import { exec } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { findInstalled, installCommand } from '../../src/host/optional-package.ts';
import { temporaryFolder } from '../support/cli.ts';

const name = 'hyparquet-compressors';
const { peerDependencies, peerDependenciesMeta } = JSON.parse(
  await readFile(join(import.meta.dirname, '../../package.json'), 'utf8'),
) as Record<string, Record<string, unknown>>;

it.each([
  ['in a clone, whose package.json names it as an optional peer', { peerDependencies, peerDependenciesMeta }],
  ['in a program of one’s own', {}],
])(
  'the command that is advised installs a package %s',
  async (_, settings) => {
    const folder = await temporaryFolder();
    await writeFile(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'a', version: '1.0.0', ...settings }),
    );
    // As it is after `npm install`, which leaves optional peers out.
    for (const command of ['npm install --no-audit', installCommand(name)])
      await promisify(exec)(`${command} --ignore-scripts`, { cwd: folder });
    const installed = join(folder, 'node_modules', name, 'package.json');
    expect(JSON.parse(await readFile(installed, 'utf8'))).toMatchObject({ name });
  },
  120_000,
);

it('what is installed beside this library is found, and what is not there is not', () => {
  expect(findInstalled('zod/package.json')).toMatch(/node_modules.zod.package\.json$/);
  expect(findInstalled('rectiflow-of-nobody')).toBeUndefined();
});
