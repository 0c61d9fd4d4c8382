import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, rm, symlink, link, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { BlockReader } from '../../../src/formats/block-reader.ts';
import { encodeHeader } from '../../../src/formats/tar/header.ts';
import { paxRecord } from '../../../src/formats/tar/pax.ts';
import { readTar } from '../../../src/formats/tar/read.ts';
import { encodeTar } from '../../../src/formats/tar/write.ts';
import { RectiflowError } from '../../../src/tensor/errors.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tar-'));
});
afterAll(() => rm(folder, { recursive: true }));

const hasTar = ((): boolean => {
  try {
    return execFileSync('tar', ['--version'], { encoding: 'utf8' }).includes('GNU tar');
  } catch {
    return false;
  }
})();

/** Names and contents, as text. */
async function members(path: string): Promise<Record<string, string>> {
  const found: [string, string][] = [];
  await readTar(path, async ({ name, size, content }) => {
    const bytes = await content();
    expect(bytes.length).toBe(size);
    found.push([name, Buffer.from(bytes).toString()]);
  });
  return Object.fromEntries(found);
}

async function write(bytes: Uint8Array, name = 'x.tar'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

const entry = (name: string, content = 'abc') => ({ name, content: Buffer.from(content) });
const padded = (content: string): Buffer =>
  Buffer.concat([Buffer.from(content)], Math.ceil(content.length / 512) * 512);
const concat = (...parts: Uint8Array[]): Buffer => Buffer.concat(parts);
const good = encodeTar([entry('a.txt'), entry('b.txt', 'x'.repeat(600))]);

/** The header of one member of 3 bytes, changed and summed anew. */
function changed(offset: number, bytes: Uint8Array | string): Buffer {
  const header = Buffer.from(encodeHeader('a.txt', 3, '0'));
  header.set(Buffer.from(bytes), offset);
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return concat(header, padded('abc'));
}

describe('what is refused, with the tar file and the member', () => {
  const pax = (key: string, value: string): Buffer => {
    const record = paxRecord(key, value);
    return concat(
      encodeHeader('pax', record.length, 'x'),
      Buffer.concat([record], 512),
      encodeTar([entry('a.txt')]),
    );
  };
  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', Buffer.of(), /x\.tar: is empty/],
    ['text', Buffer.from('hello'.repeat(300)), /x\.tar: is no tar file/],
    ['short text', Buffer.from('hello'), /x\.tar: is no tar file/],
    ['gzip', gzipSync(good), /x\.tar: is compressed.*Unpack it first with gunzip/],
    ['zstd', Buffer.of(0x28, 0xb5, 0x2f, 0xfd), /Unpack it first with unzstd/],
    [
      '..',
      encodeTar([entry('a/../../b.txt')]),
      /x\.tar: the member "a\/\.\.\/\.\.\/b\.txt" has \.\. in its name/,
    ],
    ['.. behind ./', encodeTar([entry('./../b.txt')]), /has \.\./],
    ['.. in a pax path', pax('path', '../a.txt'), /the member "\.\.\/a\.txt" has \.\./],
    ['backslashes', encodeTar([entry('a\\..\\b.txt')]), /has \.\./],
    ['absolute', encodeTar([entry('/etc/passwd')]), /"\/etc\/passwd" has an absolute name/],
    ['a drive', encodeTar([entry('C:\\a.txt')]), /has an absolute name/],
    ['no name', encodeTar([entry('')]), /has an empty name/],
    ['NUL in a pax path', pax('path', 'a\0b'), /has a NUL/],
    ['twice', encodeTar([entry('a.txt'), entry('./a.txt')]), /x\.tar: holds the member a\.txt twice/],
    ['hard link', changed(156, '1'), /the member a\.txt is a hard link/],
    ['symbolic link', changed(156, '2'), /the member a\.txt is a symbolic link/],
    ['device', changed(156, '3'), /the member a\.txt is a device/],
    ['pipe', changed(156, '6'), /the member a\.txt is a named pipe/],
    ['sparse', changed(156, 'S'), /the member a\.txt is a sparse file/],
    ['sparse by pax', pax('GNU.sparse.major', '1'), /is a sparse file/],
    ['unknown', changed(156, 'Z'), /is of the unknown type "Z"/],
    ['no size', changed(124, '12x45678901'), /the size of the member a\.txt is no number/],
    ['negative size', changed(124, Buffer.alloc(12, 255)), /the size of the member a\.txt is no number/],
    ['unsafe size', changed(124, Buffer.concat([Buffer.of(0x80), Buffer.alloc(11, 255)])), /is no number/],
    [
      'large size',
      changed(124, Buffer.concat([Buffer.of(0x80, 0, 0, 0, 0, 0), Buffer.alloc(6, 255)])),
      /is truncated: the member a\.txt ends at/,
    ],
    ['pax size', pax('size', '-3'), /pax header has the size "-3"/],
    [
      'pax garbage',
      concat(encodeHeader('p', 512, 'x'), padded('zz=1')),
      /pax header that cannot be read|is truncated/,
    ],
    ['global name', concat(encodeHeader('p', 12, 'g'), padded('12 path=abc\n')), /one name or size to all/],
    [
      'huge long name',
      concat(encodeHeader('p', 2 ** 21, 'L'), Buffer.alloc(2 ** 21)),
      /header of 2097152 bytes/,
    ],
    ['long name alone', concat(encodeHeader('p', 3, 'L'), padded('abc')), /ends behind the long name/],
    [
      'content cut',
      good.subarray(0, 1536 + 512 + 100),
      /x\.tar: is truncated: the member b\.txt ends at byte 2560, the file at 1636|2148/,
    ],
    ['header cut', good.subarray(0, 1024 + 100), /is truncated: it ends inside the header at byte 1024/],
    [
      'checksum',
      concat(good.subarray(0, 1024), Buffer.from([1]), good.subarray(1025)),
      /the header at byte 1024 does not match its checksum/,
    ],
  ])('%s', async (_, bytes, message) => {
    await expect(members(await write(bytes))).rejects.toThrow(message);
  });

  test('a path that is not there, or a folder', async () => {
    await expect(members(join(folder, 'none.tar'))).rejects.toThrow(/none\.tar: no such file/);
    await expect(members(folder)).rejects.toThrow(RectiflowError);
  });
});

test('the zeros at the end may be missing where a member ends', async () => {
  const wanted = { 'a.txt': 'abc', 'b.txt': 'x'.repeat(600) };
  expect(await members(await write(good))).toEqual(wanted);
  expect(await members(await write(good.subarray(0, good.length - 1024)))).toEqual(wanted);
});

test('members of gigabytes are jumped over', async () => {
  const path = join(folder, 'sparse.tar');
  const large = 5 * 2 ** 30;
  const file = await open(path, 'w');
  await file.write(encodeHeader('large.bin', large, '0'), 0, 512, 0);
  const rest = encodeTar([entry('a.txt')]);
  await file.write(rest, 0, rest.length, 512 + large);
  await file.close();
  const found: unknown[] = [];
  const read = vi.spyOn(BlockReader.prototype, 'bytes');
  await readTar(path, ({ name, offset, size }) => void found.push([name, offset, size]));
  expect(found).toEqual([
    ['large.bin', 512, large],
    ['a.txt', 1024 + large, 3],
  ]);
  // Two headers and the end.
  expect(read).toHaveBeenCalledTimes(3);
  read.mockRestore();
});

test('mutations of a tar file are read or refused, never anything else', async () => {
  const long = entry(`${'d/'.repeat(80)}long.txt`);
  const bytes = encodeTar([entry('a.txt'), long, entry('b.txt', '')]);
  const change = fc.tuple(
    fc.nat(bytes.length - 1),
    fc.oneof(fc.nat(255), fc.constantFrom(0, 0x30, 0x37, 0x80, 0xff)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 4 }),
      fc.nat(bytes.length),
      async (changes, end) => {
        const mutated = Buffer.from(bytes);
        for (const [at, byte] of changes) mutated[at] = byte;
        // The checksum alone would refuse nearly all of them.
        for (const at of [0, 1024, 2048]) resum(mutated.subarray(at, at + 512));
        const path = await write(
          mutated.subarray(0, end < bytes.length / 2 ? bytes.length : end),
          'fuzz.tar',
        );
        await members(path).catch((error: unknown) => expect(error).toBeInstanceOf(RectiflowError));
      },
    ),
    { numRuns: 300 },
  );
});

function resum(header: Buffer): void {
  header.fill(0x20, 148, 156);
  header.write(
    header
      .reduce((total, byte) => total + byte, 0)
      .toString(8)
      .padStart(6, '0') + '\0 ',
    148,
  );
}

describe.skipIf(!hasTar)('files of GNU tar (skipped where tar is another)', () => {
  const deep = `${'deep/'.repeat(15)}${'n'.repeat(60)}`;
  const longest = `${'longer/'.repeat(20)}${'n'.repeat(120)}.txt`;
  const contents: Record<string, string> = {
    'a.txt': 'a',
    'ä ö.txt': 'umlauts',
    [`${deep}.txt`]: 'in the prefix',
    [longest]: 'in a header of its own',
    'empty.txt': '',
    'large.txt': 'z'.repeat(300_000),
    'z.txt': 'last',
  };
  let tree: string;
  beforeAll(async () => {
    tree = join(folder, 'tree');
    for (const [name, content] of Object.entries(contents)) {
      await mkdir(dirname(join(tree, name)), { recursive: true });
      await writeFile(join(tree, name), content);
    }
  });

  test.each(['gnu', 'pax', 'oldgnu'])('%s', async (format) => {
    const path = join(folder, `${format}.tar`);
    execFileSync('tar', [`--format=${format}`, '-C', tree, '-cf', path, '.']);
    expect(await members(path)).toEqual(contents);
  });

  test('ustar and v7, which have no longer names', async () => {
    for (const [format, names] of [
      ['ustar', ['a.txt', `${deep}.txt`]],
      ['v7', ['a.txt', 'z.txt']],
    ] as const) {
      const path = join(folder, `${format}.tar`);
      execFileSync('tar', [`--format=${format}`, '-C', tree, '-cf', path, ...names]);
      expect(await members(path)).toEqual(Object.fromEntries(names.map((name) => [name, contents[name]])));
    }
  });

  test('links', async () => {
    const linked = join(folder, 'linked');
    await mkdir(linked);
    await writeFile(join(linked, 'a.txt'), 'a');
    await symlink('a.txt', join(linked, 'b.txt'));
    execFileSync('tar', ['-C', linked, '-cf', join(folder, 'soft.tar'), '.']);
    await expect(members(join(folder, 'soft.tar'))).rejects.toThrow(/the member b\.txt is a symbolic link/);
    await rm(join(linked, 'b.txt'));
    await link(join(linked, 'a.txt'), join(linked, 'c.txt'));
    execFileSync('tar', ['-C', linked, '-cf', join(folder, 'hard.tar'), 'a.txt', 'c.txt']);
    await expect(members(join(folder, 'hard.tar'))).rejects.toThrow(/the member c\.txt is a hard link/);
  });

  test('GNU tar reads what we write', async () => {
    const entries = Object.entries(contents).map(([name, content]) => entry(name, content));
    const path = await write(encodeTar(entries), 'ours.tar');
    expect(await members(path)).toEqual(contents);
    const out = join(folder, 'out');
    await mkdir(out);
    execFileSync('tar', ['-C', out, '-xf', path]);
    expect(execFileSync('diff', ['-r', out, tree], { encoding: 'utf8' })).toBe('');
  });
});
