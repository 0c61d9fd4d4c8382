// Datasets compressed in ways that the HDF5 library itself cannot read: their chunks are found in the file and unpacked here. Layout:
// "HDF5 File Format Specification Version 3.0", sections III.A.1 (B-trees), IV.A.1.a (object headers), IV.A.2.i (data layout) and
// III.E (global heap). Nothing that a file states is believed before it is compared with the file's size.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Dataset } from 'h5wasm/node';
import { decompress as decompressLzf } from './lzf.ts';
import { decompress as decompressZstandard } from './zstandard.ts';

/** By the number of their filter: what unpacks `packed` to `size` bytes, or throws. h5py brings LZF, hdf5plugin Zstandard. */
const METHODS: Readonly<Record<number, (packed: Uint8Array, size: number) => Uint8Array>> = {
  32000: decompressLzf,
  32015: decompressZstandard,
};
const SHUFFLE = 2;
/** The length of a string, the address of its heap, and its index there. */
const REFERENCE = 4 + 8 + 4;
const UNDEFINED = 2n ** 64n - 1n;
const MESSAGE = { layout: 8, continuation: 16 } as const;
/** Those of a header in pieces; a chain that comes back to itself has no end. */
const MOST_BLOCKS = 1000;
const damagedHeap = 'its heap of strings is damaged';
const damagedTree = 'its tree of chunks is damaged';

const anotherFormat =
  "LZF and Zstandard are read in files of HDF5's earliest format only (h5py's libver), gzip in any";

interface Chunk {
  /** Its first element's place along each axis. */
  readonly origin: readonly number[];
  readonly address: number;
  readonly size: number;
  /** A bit for each filter that was not applied. */
  readonly skipped: number;
}

/** Whether `ChunkFile` can read what the library cannot. */
export function isUnpacked({ filters }: Dataset): boolean {
  const ids = filters.map(({ id }) => id);
  return METHODS[ids.at(-1) ?? 0] !== undefined && ids.slice(0, -1).every((id) => id === SHUFFLE);
}

/** Bytes of an element in the file. The library tells the size in memory, which is that of a pointer for a string. */
function storedSize({ metadata: { vlen, size } }: Dataset): number {
  return vlen ? REFERENCE : size;
}

/** Of a chunk, along each axis: as the library knows them, which were compared with the file. */
function extentsOf({ metadata: { chunks } }: Dataset): readonly number[] {
  if (!chunks) throw new Error(anotherFormat);
  return chunks;
}

/** Each chunk has a place of its own among the values: as many are unpacked as there are values for. */
function checkPlaces(chunks: readonly Chunk[], dataset: Dataset): void {
  const extents = extentsOf(dataset);
  const lengths = extents.map((extent, axis) => Math.ceil(dataset.shape![axis]! / extent));
  const taken = new Set<number>();
  for (const { origin } of chunks) {
    const place = origin.map((first, axis) => first / extents[axis]!);
    if (!place.every((at, axis) => Number.isInteger(at) && at < lengths[axis]!)) throw new Error(damagedTree);
    taken.add(place.reduce((index, at, axis) => index * lengths[axis]! + at, 0));
  }
  if (taken.size < chunks.length) throw new Error(damagedTree);
}

/** A file's bytes, beside the library that has it open. Errors are plain: the caller knows what was read. */
export class ChunkFile {
  private readonly descriptor: number;
  private readonly size: number;
  private readonly base: number;
  private readonly chunks = new Map<string, readonly Chunk[]>();

  /** @param base where HDF5 begins in the file: addresses count from there */
  constructor(path: string, base: number) {
    this.descriptor = openSync(path, 'r');
    this.size = fstatSync(this.descriptor).size;
    this.base = base;
  }

  close(): void {
    closeSync(this.descriptor);
  }

  /** The bytes of rows [start, end) of a dataset of one or two axes, row-major. */
  rows(dataset: Dataset, start: number, end: number): Uint8Array {
    const [, columns = 1] = dataset.shape!;
    const size = storedSize(dataset);
    const bytes = new Uint8Array((end - start) * columns * size);
    const [tall, wide = 1] = extentsOf(dataset) as [number, number?];
    for (const chunk of this.chunksOf(dataset)) {
      const [top, left = 0] = chunk.origin as [number, number?];
      const [from, to] = [Math.max(start, top), Math.min(end, top + tall)];
      if (from >= to) continue;
      const unpacked = this.unpack(chunk, dataset, tall * wide * size);
      const width = Math.min(wide, columns - left) * size;
      for (let row = from; row < to; row++) {
        const at = (row - top) * wide * size;
        bytes.set(unpacked.subarray(at, at + width), ((row - start) * columns + left) * size);
      }
    }
    return bytes;
  }

  /** Strings of variable length, by the references that their dataset holds. */
  texts(references: Uint8Array): string[] {
    const view = new DataView(references.buffer, references.byteOffset, references.byteLength);
    const heaps = new Map<bigint, Map<number, Uint8Array>>();
    const claim = this.claims(damagedHeap);
    return Array.from({ length: references.length / REFERENCE }, (_, i) => {
      const length = view.getUint32(REFERENCE * i, true);
      const address = view.getBigUint64(REFERENCE * i + 4, true);
      if (length === 0) return '';
      const heap = heaps.get(address) ?? this.heap(Number(address), claim);
      heaps.set(address, heap);
      const object = heap.get(view.getUint32(REFERENCE * i + 12, true));
      if (object === undefined) throw new Error('a string is not where it should be');
      return Buffer.from(object.subarray(0, length)).toString('utf8').replace(/\0.*$/s, '');
    });
  }

  private chunksOf(dataset: Dataset): readonly Chunk[] {
    const known = this.chunks.get(dataset.path);
    if (known !== undefined) return known;
    // A reference to an object is the address of its header.
    const address = Number(Buffer.from(dataset.create_reference().ref_data).readBigUInt64LE());
    const message = this.layoutMessage(address);
    if (message[0] !== 3 || message[1] !== 2) throw new Error(anotherFormat);
    const axes = extentsOf(dataset).length;
    if (message[2] !== axes + 1) throw new Error(damagedTree);
    const root = message.readBigUInt64LE(3);
    const chunks = root === UNDEFINED ? [] : this.leaves(Number(root), axes, this.claims(damagedTree));
    checkPlaces(chunks, dataset);
    this.chunks.set(dataset.path, chunks);
    return chunks;
  }

  /** Hears of bytes that each lie in the file on their own: no more than the file has. */
  private claims(problem: string): (bytes: number) => void {
    let left = this.size;
    return (bytes) => {
      left -= bytes;
      if (!(left >= 0)) throw new Error(problem);
    };
  }

  private layoutMessage(address: number): Buffer {
    const header = this.bytes(address, 16);
    if (header[0] !== 1) throw new Error(anotherFormat);
    const blocks = [[address + 16, header.readUInt32LE(8)] as const];
    const claim = this.claims('its header is damaged');
    // Continuations are added while the list is walked.
    for (const [start, length] of blocks) {
      if (blocks.length > MOST_BLOCKS) throw new Error('its header is damaged');
      claim(length);
      const block = this.bytes(start, length);
      for (let at = 0; at + 8 <= length; at += 8 + block.readUInt16LE(at + 2)) {
        const type = block.readUInt16LE(at);
        const body = block.subarray(at + 8, at + 8 + block.readUInt16LE(at + 2));
        if (type === MESSAGE.layout) return body;
        if (type === MESSAGE.continuation) {
          blocks.push([Number(body.readBigUInt64LE(0)), Number(body.readBigUInt64LE(8))]);
        }
      }
    }
    throw new Error('it has no data layout');
  }

  /**
   * The leaves of a B-tree, in their order. Each level is one below the last, and each node and chunk has bytes of its own.
   * @param wanted the level, of nodes that others lead to
   */
  private leaves(address: number, axes: number, claim: (bytes: number) => void, wanted?: number): Chunk[] {
    const head = this.bytes(address, 24);
    const [level, entries] = [head[5]!, head.readUInt16LE(6)];
    if (head.toString('latin1', 0, 4) !== 'TREE' || head[4] !== 1 || level !== (wanted ?? level))
      throw new Error(damagedTree);
    const keySize = 8 + 8 * (axes + 1);
    claim(24 + entries * (keySize + 8));
    const node = this.bytes(address + 24, entries * (keySize + 8));
    return Array.from({ length: entries }, (_, i) => {
      const at = i * (keySize + 8);
      const child = Number(node.readBigUInt64LE(at + keySize));
      if (level > 0) return this.leaves(child, axes, claim, level - 1);
      const origin = Array.from({ length: axes }, (__, axis) =>
        Number(node.readBigUInt64LE(at + 8 + 8 * axis)),
      );
      const size = node.readUInt32LE(at);
      claim(size);
      return [{ origin, address: child, size, skipped: node.readUInt32LE(at + 4) }];
    }).flat();
  }

  private unpack({ address, size, skipped }: Chunk, dataset: Dataset, wanted: number): Uint8Array {
    const { filters } = dataset;
    let bytes: Uint8Array = this.bytes(address, size);
    for (let i = filters.length - 1; i >= 0; i--) {
      if ((skipped >> i) & 1) continue;
      const method = METHODS[filters[i]!.id];
      bytes = method === undefined ? unshuffle(bytes, storedSize(dataset)) : method(bytes, wanted);
    }
    if (bytes.length !== wanted) throw new Error('a chunk is damaged');
    return bytes;
  }

  private heap(address: number, claim: (bytes: number) => void): Map<number, Uint8Array> {
    const head = this.bytes(address, 16);
    if (head.toString('latin1', 0, 4) !== 'GCOL') throw new Error(damagedHeap);
    const length = Number(head.readBigUInt64LE(8));
    claim(length);
    const heap = this.bytes(address, length);
    const objects = new Map<number, Uint8Array>();
    for (let at = 16; at + 16 <= heap.length;) {
      const index = heap.readUInt16LE(at);
      // Index 0 is the free space at the end.
      if (index === 0) break;
      const size = Number(heap.readBigUInt64LE(at + 8));
      objects.set(index, heap.subarray(at + 16, at + 16 + size));
      at += 16 + Math.ceil(size / 8) * 8;
    }
    return objects;
  }

  private bytes(address: number, length: number): Buffer {
    const truncated = new Error('the file is truncated');
    if (!(this.base + address + length <= this.size)) throw truncated;
    const buffer = Buffer.alloc(length);
    if (readSync(this.descriptor, buffer, 0, length, this.base + address) !== length) throw truncated;
    return buffer;
  }
}

/** First all first bytes of the elements, then all second ones, ... back to elements. */
function unshuffle(bytes: Uint8Array, size: number): Uint8Array {
  const count = Math.floor(bytes.length / size);
  const elements = bytes.slice();
  for (let i = 0; i < count; i++) {
    for (let byte = 0; byte < size; byte++) elements[i * size + byte] = bytes[byte * count + i]!;
  }
  return elements;
}
