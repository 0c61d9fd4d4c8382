import { BLOCK, encodeHeader, paddedSize } from './header.ts';
import { paxRecord } from './pax.ts';

export interface TarEntry {
  readonly name: string;
  readonly content: Uint8Array;
}

/** The longest name that a header holds, in bytes. */
const NAME_BYTES = 100;

/**
 * The bytes of one member of a tar file. They depend on its name and content alone: owner, mode and time are fixed.
 * Longer names than 100 bytes stand in a pax header.
 */
export function tarMember({ name, content }: TarEntry): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const isLong = Buffer.byteLength(name) > NAME_BYTES;
  if (isLong) chunks.push(...stored('long-name', paxRecord('path', name), 'x'));
  chunks.push(...stored(isLong ? 'long-name' : name, content, '0'));
  return chunks;
}

/** What stands at the end of every tar file. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * BLOCK);
}

/** A whole tar file, for what fits into memory. */
export function encodeTar(entries: Iterable<TarEntry>): Uint8Array {
  return Buffer.concat([...[...entries].flatMap(tarMember), tarEnd()]);
}

function stored(name: string, content: Uint8Array, type: string): Uint8Array[] {
  const padding = paddedSize(content.length) - content.length;
  return [encodeHeader(name, content.length, type), content, new Uint8Array(padding)];
}
