import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeSafetensors, encodeSafetensors } from '../../src/formats/safetensors.ts';
import type { StoredTensor } from '../../src/tensor/stored-tensor.ts';
import {
  readSafetensors,
  readSafetensorsHeader,
  writeSafetensors,
} from '../../src/formats/safetensors-file.ts';
import { toFloat32 } from '../../src/tensor/to-float32.ts';
import { RectiflowError } from '../../src/tensor/errors.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file with this header text and this many bytes of data. */
function file(header: unknown, dataBytes = 0, headerBytes?: bigint): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = Buffer.alloc(8 + text.length + dataBytes);
  bytes.writeBigUInt64LE(headerBytes ?? BigInt(text.length));
  text.copy(bytes, 8);
  return bytes;
}

const f32 = (shape: number[], begin: number, end: number): unknown => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

describe('damaged files are refused, with what was found', () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ['empty', new Uint8Array(0), /x: has 0 bytes, fewer than the 8/],
    ['seven bytes', new Uint8Array(7), /has 7 bytes/],
    ['header over the limit', file('{}', 0, 100_000_001n), /claims a header of 100000001 bytes/],
    ['header of 2^64 - 1', file('{}', 0, 2n ** 64n - 1n), /claims a header of 18446744073709551615/],
    ['header behind the end', file('{}', 0, 50n), /truncated: its header ends at byte 58, the file at 10/],
    ['no JSON', file('{"a":'), /holds no valid JSON/],
    ['no UTF-8', Buffer.concat([file('{"a', 0, 7n), Buffer.from([0xff, 0x22, 0x3a, 0x31])]), /no valid JSON/],
    ['a list', file('[]'), /not an object/],
    [
      'duplicate key',
      file('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0061":{}}'),
      /"a" twice/,
    ],
    ['duplicate inner key', file('{"a":{"dtype":"F32","dtype":"F32"}}'), /"dtype" twice/],
    ['tensor no object', file({ a: 1 }), /tensor "a" is not described by an object/],
    [
      'unknown dtype',
      file({ a: { dtype: 'F7', shape: [], data_offsets: [0, 4] } }, 4),
      /dtype "F7"; known are F64/,
    ],
    [
      'inherited dtype',
      file({ a: { dtype: 'toString', shape: [], data_offsets: [0, 4] } }, 4),
      /dtype "toString"/,
    ],
    ['negative shape', file({ a: f32([-1], 0, 4) }, 4), /shape \[-1\]/],
    ['fractional shape', file({ a: f32([0.5], 0, 2) }, 2), /shape \[0.5\]/],
    ['no shape', file({ a: { dtype: 'F32', data_offsets: [0, 4] } }, 4), /shape undefined/],
    ['huge shape', file({ a: f32([2 ** 40, 2 ** 40], 0, 4) }, 4), /needs .* bytes, its data_offsets hold 4/],
    ['reversed offsets', file({ a: f32([1], 4, 0) }, 4), /begin <= end/],
    [
      'three offsets',
      file({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 8] } }, 4),
      /data_offsets \[0,4,8\]/,
    ],
    ['too few bytes', file({ a: f32([2], 0, 4) }, 4), /F32 \[2\] needs 8 bytes, its data_offsets hold 4/],
    [
      'data cut',
      file({ a: f32([2], 0, 8) }, 7),
      /truncated: tensor "a" ends at byte 8 of the data, which has 7/,
    ],
    ['overlap', file({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12), /tensor "b" overlaps/],
    [
      'hole',
      file({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12),
      /bytes 4 to 8 of the data belong to no tensor/,
    ],
    ['bytes behind', file({ a: f32([1], 0, 4) }, 6), /2 bytes behind its last tensor/],
    ['metadata no strings', file({ __metadata__: { a: 1 } }), /__metadata__/],
  ];
  test.each(cases)('%s', (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes, 'x')).toThrow(RectiflowError);
    expect(() => decodeSafetensors(bytes, 'x')).toThrow(message);
  });

  test.each(cases)('%s, read from disk', async (_, bytes, message) => {
    const path = join(folder, 'bad.safetensors');
    await writeFile(path, bytes);
    await expect(readSafetensors(path)).rejects.toThrow(
      new RegExp(message.source.replace(/^x/, 'bad.safetensors')),
    );
  });

  test('a missing file and a folder', async () => {
    await expect(readSafetensors(join(folder, 'none'))).rejects.toThrow(/none: no such file/);
    await expect(readSafetensors(folder)).rejects.toThrow(/is a folder/);
  });

  test('a long hostile header neither hangs nor overflows the stack', () => {
    const header = `{"${'\\n'.repeat(4_000_000)}":{},"a":1}`;
    expect(() => decodeSafetensors(file(header), 'x')).toThrow(/shape|dtype/);
  });

  test('any single changed byte of the header is refused or changes what is read, never crashes', () => {
    const good = encodeSafetensors(sample());
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bad = good.slice();
        bad[at] = bad[at]! ^ flip;
        try {
          decodeSafetensors(bad, 'x');
        } catch (error) {
          expect(error).toBeInstanceOf(RectiflowError);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('any prefix of a file is refused', () => {
    const good = encodeSafetensors(sample());
    for (let length = 0; length < good.length; length += 3) {
      expect(() => decodeSafetensors(good.subarray(0, length), 'x')).toThrow(RectiflowError);
    }
  });
});

describe('tensors that contradict themselves are not written', () => {
  const encode = (name: string, tensor: unknown): (() => Uint8Array) => {
    return () => encodeSafetensors(new Map([[name, tensor as StoredTensor]]));
  };
  test.each([
    [encode('a', { dtype: 'F32', shape: [3], data: new Float32Array(2) }), /3 values for shape \[3\], got 2/],
    [
      encode('a', { dtype: 'F32', shape: [2], data: new Float64Array(2) }),
      /a Float32Array, as dtype F32 is held/,
    ],
    [encode('a', { dtype: 'F9', shape: [2], data: new Float64Array(2) }), /dtype must be one of F64/],
    [encode('a', { dtype: 'F32', shape: [-2], data: new Float32Array(2) }), /whole numbers/],
    [encode('__metadata__', { dtype: 'F32', shape: [], data: new Float32Array(1) }), /reserves/],
    [() => encodeSafetensors(new Map(), { a: 1 as unknown as string }), /metadata "a" must be a string/],
  ])('%#', (run, message) => {
    expect(run).toThrow(message);
  });
});

function sample(): Map<string, StoredTensor> {
  return new Map<string, StoredTensor>([
    ['b', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) }],
    ['a', { dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, -2, NaN, Infinity) }],
    ['7', { dtype: 'BF16', shape: [1], data: Uint16Array.of(0x3f80) }],
    ['scalar', { dtype: 'F64', shape: [], data: Float64Array.of(Math.PI) }],
    ['empty', { dtype: 'I64', shape: [0, 4], data: new BigInt64Array(0) }],
    ['__proto__', { dtype: 'I32', shape: [1], data: Int32Array.of(-5) }],
  ]);
}

describe('what is written is read back', () => {
  test('every dtype, from memory and from disk, with metadata', async () => {
    const path = join(folder, 'good.safetensors');
    const metadata = { format: 'pt', 'ключ "q"': 'wert\n' };
    const { bytes } = await writeSafetensors(path, sample(), metadata);
    const encoded = encodeSafetensors(sample(), metadata);
    expect(bytes).toBe(encoded.length);
    for (const read of [await readSafetensors(path), decodeSafetensors(encoded, 'x')]) {
      expect(new Map([...read.tensors].toSorted())).toEqual(new Map([...sample()].toSorted()));
      expect(read.metadata).toEqual(metadata);
    }
    expect((await readSafetensorsHeader(path)).slots.map((slot) => slot.name)).toEqual([
      'empty',
      'scalar',
      '__proto__',
      'a',
      '7',
      'b',
    ]);
  });

  test('bytes do not depend on the order of the map; data is aligned to 64 bytes and to its elements', () => {
    const reversed = new Map([...sample()].toReversed());
    expect(encodeSafetensors(reversed, { x: '1', a: '2' })).toEqual(
      encodeSafetensors(sample(), { a: '2', x: '1' }),
    );
    const bytes = encodeSafetensors(sample());
    expect((8 + Number(new DataView(bytes.buffer).getBigUint64(0, true))) % 64).toBe(0);
  });

  test('arbitrary tensors', () => {
    const tensor = fc.array(fc.nat(4), { maxLength: 4 }).chain((shape) => {
      const length = shape.reduce((a, b) => a * b, 1);
      return fc
        .float32Array({ minLength: length, maxLength: length })
        .map((data) => ({ dtype: 'F32' as const, shape, data }));
    });
    const name = fc.string({ unit: 'grapheme' }).filter((text) => text !== '__metadata__');
    fc.assert(
      fc.property(fc.array(fc.tuple(name, tensor)), (entries) => {
        const tensors = new Map(entries);
        const read = decodeSafetensors(encodeSafetensors(tensors), 'x').tensors;
        expect(read.size).toBe(tensors.size);
        for (const [key, value] of tensors) expect(read.get(key)).toEqual(value);
      }),
      { numRuns: 60 },
    );
  });

  test('a view into a larger buffer is written as what it shows', () => {
    const data = Float32Array.of(0, 1, 2, 3).subarray(1, 3);
    const read = decodeSafetensors(
      encodeSafetensors(new Map([['a', { dtype: 'F32', shape: [2], data }]])),
      'x',
    );
    expect(read.tensors.get('a')!.data).toEqual(Float32Array.of(1, 2));
  });
});

describe('toFloat32', () => {
  test.each([
    [
      'F16',
      Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x3555, 0x8000),
      [1, -2, 2 ** -24, Infinity, 0.333251953125, -0],
    ],
    ['BF16', Uint16Array.of(0x3f80, 0xc000, 0xff80, 0x8000), [1, -2, -Infinity, -0]],
    ['F64', Float64Array.of(0.1), [Math.fround(0.1)]],
    ['I64', BigInt64Array.of(-3n), [-3]],
    ['BOOL', Uint8Array.of(0, 1), [0, 1]],
  ] as const)('%s', (dtype, data, wanted) => {
    expect(toFloat32({ dtype, shape: [data.length], data })).toEqual(Float32Array.from(wanted));
  });

  test('NaN stays NaN', () => {
    expect(toFloat32({ dtype: 'F16', shape: [1], data: Uint16Array.of(0x7e00) })).toEqual(
      Float32Array.of(NaN),
    );
    expect(toFloat32({ dtype: 'BF16', shape: [1], data: Uint16Array.of(0x7fc0) })).toEqual(
      Float32Array.of(NaN),
    );
  });
});
