// Files whose trees of chunks, chunks and texts cannot be what they state: each is refused before time or memory is taken for it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset } from 'h5wasm/node';
import { afterEach, describe, expect, test } from 'vitest';
import { ChunkFile } from '../../../src/sources/expression/chunk-file.ts';
import { decompress as lzf } from '../../../src/sources/expression/lzf.ts';
import { decompress as zstandard } from '../../../src/sources/expression/zstandard.ts';
import { temporaryFolder } from '../../support/cli.ts';

const AXES = 2;
const KEY = 8 + 8 * (AXES + 1);
const HEADER = 64;
/** Literal bytes 1 to 4: LZF's form of a chunk of 2 x 2. */
const PACKED = Buffer.from([3, 1, 2, 3, 4]);

interface Entry {
  readonly child: number;
  readonly size?: number;
  readonly origin?: readonly [number, number];
}

/** An object header with nothing but the layout, whose tree is at `root`. */
function header(root: number): Buffer {
  const bytes = Buffer.alloc(HEADER);
  bytes[0] = 1;
  bytes.writeUInt32LE(HEADER - 16, 8);
  bytes.writeUInt16LE(8, 16);
  bytes.writeUInt16LE(40, 18);
  bytes.set([3, 2, AXES + 1], 24);
  bytes.writeBigUInt64LE(BigInt(root), 27);
  return bytes;
}

function treeNode(level: number, entries: readonly Entry[], stated = entries.length): Buffer {
  const bytes = Buffer.alloc(24 + entries.length * (KEY + 8));
  bytes.write('TREE', 'latin1');
  bytes.set([1, level], 4);
  bytes.writeUInt16LE(stated, 6);
  for (const [i, { child, size = PACKED.length, origin = [0, 0] }] of entries.entries()) {
    const at = 24 + i * (KEY + 8);
    bytes.writeUInt32LE(size, at);
    for (const [axis, place] of origin.entries()) bytes.writeBigUInt64LE(BigInt(place), at + 8 + 8 * axis);
    bytes.writeBigUInt64LE(BigInt(child), at + KEY);
  }
  return bytes;
}

/** 2 columns, in chunks of two rows. */
function dataset(rows: number, chunks: readonly number[] = [2, 2]): Dataset {
  return {
    path: '/X',
    shape: [rows, 2],
    metadata: { chunks, size: 1, vlen: false },
    filters: [{ id: 32000 }],
    create_reference: () => ({ ref_data: new Uint8Array(8) }),
  } as unknown as Dataset;
}

const open: ChunkFile[] = [];
afterEach(() => {
  for (const file of open.splice(0)) file.close();
});

async function chunkFile(...pieces: readonly Buffer[]): Promise<ChunkFile> {
  const path = join(await temporaryFolder(), 'hostile.h5ad');
  await writeFile(path, Buffer.concat([header(HEADER), ...pieces]));
  const file = new ChunkFile(path, 0);
  open.push(file);
  return file;
}

const damaged = 'its tree of chunks is damaged';

describe('a tree of chunks', () => {
  test('is read where all is well, in as many levels as there are', async () => {
    const leaf = 24 + KEY + 8;
    const [left, right] = [HEADER + 24 + 2 * (KEY + 8), HEADER + 24 + 2 * (KEY + 8) + leaf];
    const file = await chunkFile(
      treeNode(1, [{ child: left }, { child: right }]),
      treeNode(0, [{ child: right + leaf, origin: [0, 0] }]),
      treeNode(0, [{ child: right + leaf + PACKED.length, origin: [2, 0] }]),
      PACKED,
      PACKED,
    );
    expect([...file.rows(dataset(4), 1, 3)]).toEqual([3, 4, 1, 2]);
  });

  test.each<[string, () => Buffer[]]>([
    ['that leads back to itself', () => [treeNode(1, [{ child: HEADER }])]],
    [
      'whose nodes both lead to the same next one, forty levels deep',
      () => {
        const size = 24 + 2 * (KEY + 8);
        return Array.from({ length: 40 }, (_, i) => {
          const next = HEADER + (i + 1) * size;
          return treeNode(40 - i, [{ child: next }, { child: next }]);
        });
      },
    ],
    [
      'that is a chain of a hundred thousand nodes, each of which reads the rest of the file',
      () => {
        const size = 24 + KEY + 8;
        return Array.from({ length: 100_000 }, (_, i) => {
          const fits = Math.min(65_535, 100_000 - i);
          return treeNode(1, [{ child: HEADER + (i + 1) * size }], fits);
        });
      },
    ],
    [
      'whose leaves lie over each other, each as long as the file',
      () => {
        const leaves = 2000;
        const start = HEADER + 24 + leaves * (KEY + 8);
        const heads = Array.from({ length: leaves }, () => treeNode(0, [], 20_000));
        const root = treeNode(
          1,
          heads.map((_, i) => ({ child: start + 24 * i })),
        );
        return [root, ...heads, Buffer.alloc(20_000 * (KEY + 8))];
      },
    ],
    ['that states more entries than the file holds', () => [treeNode(0, [], 60_000)]],
    [
      'with the same chunk in the same place many times',
      () => {
        const child = HEADER + 24 + 50_000 * (KEY + 8);
        return [
          treeNode(
            0,
            Array.from({ length: 50_000 }, () => ({ child })),
          ),
          PACKED,
        ];
      },
    ],
    [
      'whose chunks lie over each other, each as long as the file',
      () => {
        const entries = 50_000;
        const size = 24 + entries * (KEY + 8);
        return [
          treeNode(
            0,
            Array.from({ length: entries }, (_, i) => ({ child: HEADER, size, origin: [2 * i, 0] as const })),
          ),
        ];
      },
    ],
    [
      'that is a chain of a hundred thousand nodes, all on one level',
      () => {
        const size = 24 + KEY + 8;
        return Array.from({ length: 100_000 }, (_, i) => treeNode(1, [{ child: HEADER + (i + 1) * size }]));
      },
    ],
    [
      'with two chunks of their own in one place',
      () => {
        const child = HEADER + 24 + 2 * (KEY + 8);
        return [treeNode(0, [{ child }, { child: child + PACKED.length }]), PACKED, PACKED];
      },
    ],
    ['with a node beyond what any file holds', () => [treeNode(1, [{ child: 2 ** 60 }])]],
    ['with a chunk between two places', () => [treeNode(0, [{ child: HEADER, origin: [1, 0] }])]],
    ['with a chunk outside of the values', () => [treeNode(0, [{ child: HEADER, origin: [0, 2] }])]],
  ])('%s is refused', async (_, pieces) => {
    const file = await chunkFile(...pieces());
    const [started, before] = [performance.now(), process.memoryUsage().rss];
    expect(() => file.rows(dataset(100_000), 0, 2)).toThrow(/its tree of chunks is damaged|truncated/);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20);
  });

  test('that is of other chunks than the data is refused', async () => {
    const file = await chunkFile(treeNode(0, [{ child: HEADER }]));
    expect(() => file.rows(dataset(4, [2]), 0, 2)).toThrow(damaged);
  });
});

test('a header in pieces that lie over each other is refused', async () => {
  const pieces = Buffer.alloc(24 * 170_000);
  for (let at = 0; at + 24 <= pieces.length; at += 24) {
    pieces.writeUInt16LE(16, at);
    pieces.writeUInt16LE(16, at + 2);
    pieces.writeBigUInt64LE(BigInt(HEADER), at + 8);
    pieces.writeBigUInt64LE(BigInt(pieces.length - 24), at + 16);
  }
  const path = join(await temporaryFolder(), 'pieces.h5ad');
  const first = header(0);
  first.writeUInt16LE(16, 16);
  first.writeBigUInt64LE(BigInt(HEADER), 24);
  first.writeBigUInt64LE(BigInt(pieces.length - 24), 32);
  await writeFile(path, Buffer.concat([first, pieces]));
  const file = new ChunkFile(path, 0);
  open.push(file);
  expect(() => file.rows(dataset(4), 0, 2)).toThrow('its header is damaged');
});

test('heaps of strings that lie over each other are refused', async () => {
  const count = 4000;
  const heaps = Buffer.alloc(2 ** 22);
  const references = Buffer.alloc(16 * count);
  for (let i = 0; i < count; i++) {
    heaps.write('GCOL', 16 * i, 'latin1');
    heaps.writeBigUInt64LE(BigInt(heaps.length - 16 * count), 16 * i + 8);
    references.writeUInt32LE(1, 16 * i);
    references.writeBigUInt64LE(BigInt(HEADER + 16 * i), 16 * i + 4);
    references.writeUInt32LE(0x4c4f_4347 % 65_536, 16 * i + 12);
  }
  const file = await chunkFile(heaps);
  const before = process.memoryUsage().rss;
  expect(() => file.texts(references)).toThrow(/its heap of strings is damaged|not where it should be/);
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20);
});

test.each([
  ['LZF', lzf],
  ['Zstandard', zstandard],
])('a chunk that cannot become as long as is stated is refused before room is made: %s', (_, decompress) => {
  expect(() => decompress(new Uint8Array(10), 2 ** 52)).toThrow('a chunk is damaged');
});
