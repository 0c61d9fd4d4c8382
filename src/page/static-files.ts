// The page itself, as it was built: only files that are listed in its folder are served.
import { readFile, readdir } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { packageFolder } from '../host/package-folder.ts';
import { fileURLToPath } from 'node:url';

/** Where the build puts it. */
export const builtPage: string = fileURLToPath(new URL('dist/page/', packageFolder));

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
};

const notBuilt =
  'The page is not there: dist/page/ of the package is missing. Build it with "npm run build", or install rectiflow again.\n';

export interface StaticFile {
  readonly status: 200 | 404 | 503;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly type: string;
  /** Files below assets/ have the hash of their content in their names. */
  readonly isImmutable: boolean;
}

/** @param folder of the page @param path of a URL, decoded */
export async function staticFile(folder: string, path: string): Promise<StaticFile> {
  const files = await listFiles(folder);
  const wanted = path === '/' ? '/index.html' : path;
  const file = files.get(wanted);
  if (file === undefined) {
    const isMissing = !files.has('/index.html');
    return text(isMissing ? 503 : 404, isMissing ? notBuilt : 'There is nothing here.\n');
  }
  const body = new Uint8Array(await readFile(file));
  const type = types[extname(file)]!;
  return { status: 200, body, type, isImmutable: wanted.startsWith('/assets/') };
}

function text(status: 404 | 503, sentence: string): StaticFile {
  return { status, body: new TextEncoder().encode(sentence), type: types['.txt']!, isImmutable: false };
}

/** By their paths in URLs: those of types that a page has. */
async function listFiles(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile() && extname(entry.name) in types);
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [`/${relative(folder, path).split(sep).join('/')}`, path];
    }),
  );
}
