// Where the package lies, for files that are not modules: package.json and the native addon.
import { existsSync } from 'node:fs';

/** The folder of package.json, from any module of src/ or dist/. */
export const packageFolder: URL = (function enclosing(folder: URL): URL {
  return existsSync(new URL('package.json', folder)) ? folder : enclosing(new URL('..', folder));
})(new URL('.', import.meta.url));
