import { createRequire } from 'node:module';
import { join } from 'node:path';
import { packageFolder, packageManifest, readManifest } from './package-folder.ts';

const require = createRequire(new URL('package.json', packageFolder));

/** The packages that this one works with and that are installed, with their versions. */
export function installedDependencies(): Record<string, string> {
  const { dependencies, peerDependencies } = packageManifest;
  const names = Object.keys({ ...dependencies, ...peerDependencies }).toSorted();
  return Object.fromEntries(
    names.flatMap((name) => {
      const version = installedVersion(name);
      return version === undefined ? [] : [[name, version]];
    }),
  );
}

/** Not by `require(name + '/package.json')`, which many packages do not export. */
function installedVersion(name: string): string | undefined {
  for (const folder of require.resolve.paths(name) ?? []) {
    const manifest = readManifest(join(folder, name, 'package.json'));
    if (manifest) return manifest.version;
  }
  return undefined;
}
