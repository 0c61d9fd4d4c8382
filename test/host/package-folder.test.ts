import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'rolldown';
import { describe, expect, it } from 'vitest';
import { installedDependencies } from '../../src/host/dependencies.ts';
import { version } from '../../src/host/machine.ts';
import { findPackage, packageFolder } from '../../src/host/package-folder.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const asFolder = (path: string): URL => pathToFileURL(`${path}/`);

async function manifest(folder: string, content: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), content);
  return folder;
}

describe('the package', () => {
  it('is found by its name, past other package.json between', async () => {
    const folder = await manifest(
      join(await temporaryFolder(), 'app'),
      '{"name":"rectiflow","version":"7.8.9"}',
    );
    await manifest(join(folder, 'dist'), '{"type":"module"}');
    await manifest(join(folder, 'dist/chunks'), 'no JSON');
    const deep = await manifest(join(folder, 'dist/chunks/a'), '{"name":"another","version":"1.0.0"}');
    const found = findPackage(asFolder(join(deep, 'not/there')));
    expect([found.folder, found.manifest.version]).toEqual([asFolder(folder), '7.8.9']);
  });

  it('is found where it is installed, from a program that it was joined into', async () => {
    const folder = await manifest(join(await temporaryFolder(), 'app'), '{"name":"app","version":"1.0.0"}');
    const installed = await manifest(
      join(folder, 'node_modules/rectiflow'),
      '{"name":"rectiflow","version":"7.8.9"}',
    );
    expect(findPackage(asFolder(join(folder, 'build/server'))).folder).toEqual(asFolder(installed));
  });

  it('that is nowhere is missed in words', async () => {
    const folder = await manifest(join(await temporaryFolder(), 'app'), '{"name":"app","version":"1.0.0"}');
    expect(() => findPackage(asFolder(folder))).toThrow(
      `${folder}/: no package.json of rectiflow lies in a folder around it. Install rectiflow, and leave it out of bundles.`,
    );
  });

  it('is this one, from src/ and from dist/', async () => {
    expect(fileURLToPath(packageFolder)).toBe(root);
    const { stdout } = await rectiflow(root, ['--version']);
    expect(stdout.trim()).toBe(version);
  });
});

describe('dependencies', () => {
  it.each(['', 'dist', 'dist/chunks/deeper/still'])(
    'are those of the package from a chunk in %s',
    async (place) => {
      const folder = await temporaryFolder();
      await cp(join(root, 'package.json'), join(folder, 'package.json'));
      await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
      const file = join(folder, place, 'dependencies.mjs');
      const input = join(root, 'src/host/dependencies.ts');
      await build({ input, platform: 'node', output: { file, format: 'esm' } });
      const chunk = (await import(file)) as { installedDependencies: typeof installedDependencies };
      const found = chunk.installedDependencies();
      expect(found).toEqual(installedDependencies());
      const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
        dependencies: Record<string, string>;
      };
      expect(Object.keys(found)).toEqual(expect.arrayContaining(Object.keys(dependencies)));
    },
  );
});
