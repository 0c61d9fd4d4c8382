import { gzipSync } from 'node:zlib';

/** A tarball as npm packs them: a folder `package` with these files. */
export function tarballOf(files: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  const entries = Object.entries(files).map(([name, content]) => tarEntry(`package/${name}`, content));
  return gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]));
}

/** @param type '0' is a file, '2' a link */
export function tarEntry(path: string, content: string | Uint8Array, type = '0'): Uint8Array {
  const bytes = Buffer.from(content);
  const header = Buffer.alloc(512);
  header.write(path, 0);
  header.write(bytes.length.toString(8).padStart(11, '0'), 124);
  header.write(type, 156);
  header.write('ustar', 257);
  return Buffer.concat([header, bytes, Buffer.alloc(-bytes.length & 511)]);
}
