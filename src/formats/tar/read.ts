import type { FileHandle } from 'node:fs/promises';
import { withFile } from '../../host/read-file.ts';
import { type RectiflowError, fileError } from '../../tensor/errors.ts';
import { BlockReader } from '../block-reader.ts';
import { BLOCK, hasChecksum, isZeroBlock, paddedSize, parseHeader } from './header.ts';
import type { TarHeader } from './header.ts';
import { parsePax } from './pax.ts';

/** A regular file in a tar file, which stays where it is. */
export interface TarMember {
  readonly name: string;
  /** Where its content starts in the tar file, in bytes. */
  readonly offset: number;
  readonly size: number;
  /** Its content, of members small enough for memory. Cheap while the walk stands at this member. */
  content(): Promise<Uint8Array>;
}

/** What the headers before a member say of it: GNU's type L and the pax type x. */
interface Overrides {
  name?: string;
  size?: number;
}

/** Larger names are no names; it bounds what a hostile file makes a reader allocate. */
const MOST_METADATA = 1 << 20;
const REPLACE = 'The file is damaged or still being written: copy or make it again';
const PLAIN = 'Make it again of plain files: tar --dereference --hard-dereference, without special files';

/** Headers about the member that follows: GNU's long name and long link name, pax for one member and for all. */
const METADATA = 'LKxg';

/** What may not stand in a shard, by the type in its header. */
const REFUSED: Readonly<Record<string, string>> = {
  1: 'a hard link',
  2: 'a symbolic link',
  3: 'a device',
  4: 'a device',
  6: 'a named pipe',
  S: 'a sparse file',
  M: 'the second part of a file that began on another volume',
};

/**
 * Walks over the regular files of a tar file (ustar, GNU, pax) by its headers alone: nothing is extracted, and the content
 * of large members is not read. Folders are passed over.
 * @throws RectiflowError naming the tar file and the member: no tar, compressed, damaged, truncated; a link or a device; a
 * name that is absolute, has `..` or comes twice
 */
export async function readTar(
  path: string,
  visit: (member: TarMember) => void | Promise<void>,
): Promise<void> {
  await withFile(path, (file) => walk(file, path, visit));
}

async function walk(
  file: FileHandle,
  path: string,
  visit: (member: TarMember) => void | Promise<void>,
): Promise<void> {
  const { size: fileSize } = await file.stat();
  const reader = new BlockReader(file, fileSize, path);
  const names = new Set<string>();
  let overrides: Overrides = {};
  for (let position = 0; ;) {
    const header = await readHeader(reader, position, overrides);
    if (header === undefined) return;
    const { name, size, type } = header;
    const offset = position + BLOCK;
    position = offset + paddedSize(size);
    // The blocks of zeros that end a tar file may be missing, a part of a member may not.
    if (position > fileSize) {
      const problem = `is truncated: the member ${name} ends at byte ${position}, the file at ${fileSize}`;
      throw fileError(path, problem, REPLACE);
    }
    if (METADATA.includes(type)) {
      overrides = { ...overrides, ...(await readMetadata(reader, header, offset)) };
      continue;
    }
    overrides = {};
    checkName(path, name);
    if (type === '5' || name.endsWith('/')) continue;
    const kind =
      REFUSED[type] ?? (/^[07]$/.test(type) ? undefined : `of the unknown type ${JSON.stringify(type)}`);
    if (kind !== undefined) throw fileError(path, `the member ${name} is ${kind}`, PLAIN);
    if (names.has(name))
      throw fileError(path, `holds the member ${name} twice`, 'Make it again without doubles');
    names.add(name);
    await visit({ name, offset, size, content: () => reader.bytes(offset, size) });
  }
}

/** The header at `position` with what those before it said; undefined at the end of the tar file. */
async function readHeader(
  reader: BlockReader,
  position: number,
  overrides: Overrides,
): Promise<(TarHeader & { readonly size: number }) | undefined> {
  const block = await reader.bytes(position, BLOCK);
  const { path } = reader;
  if (block.length === 0 && position > 0) return ended(reader, overrides);
  if (block.length < BLOCK) {
    throw position === 0
      ? notTar(path, block)
      : fileError(path, `is truncated: it ends inside the header at byte ${position}`, REPLACE);
  }
  if (isZeroBlock(block)) return ended(reader, overrides);
  if (!hasChecksum(block)) {
    throw position === 0
      ? notTar(path, block)
      : fileError(path, `is damaged: the header at byte ${position} does not match its checksum`, REPLACE);
  }
  const header = parseHeader(block);
  const stated = METADATA.includes(header.type) ? {} : overrides;
  const name = withoutDot(stated.name ?? header.name);
  const size = stated.size ?? header.size;
  if (size === undefined) throw fileError(path, `the size of the member ${name} is no number`, REPLACE);
  return { name, size, type: header.type };
}

function ended({ path }: BlockReader, overrides: Overrides): undefined {
  if (Object.keys(overrides).length === 0) return undefined;
  throw fileError(path, 'is truncated: it ends behind the long name of a member', REPLACE);
}

async function readMetadata(
  reader: BlockReader,
  header: TarHeader & { size: number },
  offset: number,
): Promise<Overrides> {
  const { type, size } = header;
  // Of links, which are refused when their own header comes.
  if (type === 'K') return {};
  if (size > MOST_METADATA) {
    throw fileError(reader.path, `has a header of ${size} bytes, more than ${MOST_METADATA}`, REPLACE);
  }
  const content = await reader.bytes(offset, size);
  if (type === 'L') return { name: Buffer.from(content).toString('utf8').replace(/\0.*$/s, '') };
  const { path: name, size: stated, ...others } = parsePax(content, reader.path);
  if (type === 'g') {
    if (name === undefined && stated === undefined) return {};
    throw fileError(reader.path, 'gives one name or size to all its members', REPLACE);
  }
  const sparse = Object.keys(others).find((key) => key.startsWith('GNU.sparse.'));
  if (sparse !== undefined)
    throw fileError(reader.path, `the member ${name ?? header.name} is a sparse file`, PLAIN);
  return {
    ...(name === undefined ? {} : { name }),
    ...(stated === undefined ? {} : { size: parseSize(stated, reader.path) }),
  };
}

function parseSize(text: string, path: string): number {
  const size = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(size)) return size;
  throw fileError(path, `a pax header has the size ${JSON.stringify(text)}, wanted a whole number`, REPLACE);
}

function checkName(path: string, name: string): void {
  const problem = nameProblem(name);
  if (problem === undefined) return;
  throw fileError(
    path,
    `the member ${JSON.stringify(name)} ${problem}`,
    'Make it again with plain relative names',
  );
}

function nameProblem(name: string): string | undefined {
  if (name === '') return 'has an empty name';
  if (name.startsWith('/') || /^[A-Za-z]:[\\/]/.test(name)) return 'has an absolute name';
  if (name.split(/[\\/]/).includes('..')) return 'has .. in its name';
  return name.includes('\0') ? 'has a NUL in its name' : undefined;
}

/** `./a.png` and `a.png` are one name; `./` alone is the folder that was packed. */
function withoutDot(name: string): string {
  return name === './' || name === '.' ? './' : name.replace(/^(\.\/+)+/, '');
}

function notTar(path: string, block: Uint8Array): RectiflowError {
  const startsWith = (...bytes: number[]): boolean => bytes.every((byte, i) => block[i] === byte);
  if (block.length === 0) return fileError(path, 'is empty', REPLACE);
  for (const [tool, magic] of [
    ['gunzip', [0x1f, 0x8b]],
    ['unzstd', [0x28, 0xb5, 0x2f, 0xfd]],
    ['bunzip2', [0x42, 0x5a, 0x68]],
    ['unxz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ] as const) {
    if (!startsWith(...magic)) continue;
    return fileError(
      path,
      'is compressed: samples of a compressed tar file cannot be read in any order',
      `Unpack it first with ${tool}`,
    );
  }
  return fileError(path, 'is no tar file: it does not start with a tar header', 'Check the path');
}
