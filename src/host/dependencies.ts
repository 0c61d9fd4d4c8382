import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** The packages that this one works with and that are installed, with their versions. */
export function installedDependencies(): Record<string, string> {
  const { dependencies, peerDependencies } = require('../../package.json') as Manifest;
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
    try {
      return (JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8')) as Manifest).version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return undefined;
}
