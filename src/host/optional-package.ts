// Packages that only some users need, and install themselves.
import { createRequire } from 'node:module';
import { join } from 'node:path';

/**
 * The command that installs one: beside a program as in a clone of this repository, where npm passes over what package.json
 * names as an optional peer, unless it is asked for in another role.
 */
export function installCommand(name: string): string {
  return `npm install -D ${name}`;
}

/**
 * Where a package, or a file of it, is installed: beside this library, or beside the program that runs.
 * @param request as for `require`
 * @returns its path; undefined where it is not installed
 */
export function findInstalled(request: string): string | undefined {
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    try {
      return createRequire(from).resolve(request);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return undefined;
}
