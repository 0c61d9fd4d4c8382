import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTensor, readTensor } from '../../src/formats/tensor-file.ts';
import { FilePool } from '../../src/host/file-pool.ts';
import { readNpyHeader } from '../../src/formats/npy.ts';
import { RectiflowError } from '../../src/tensor/errors.ts';
import { encodeNpy } from '../support/npy.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'npy-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function write(bytes: Uint8Array): Promise<string> {
  const path = join(folder, 'x.npy');
  await writeFile(path, bytes);
  return path;
}

const dict = (descr: string, order = 'False', shape = '(2,)'): string =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`;

describe('what is refused', () => {
  const good = encodeNpy(dict("'|u1'"), Uint8Array.of(1, 2));
  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', Buffer.of(), /x\.npy: is no \.npy file/],
    ['text', Buffer.from('hello world hello'), /is no \.npy file/],
    ['magic alone', Buffer.from('\u0093NUMPY', 'latin1'), /is no \.npy file/],
    ['version', encodeNpy(dict("'|u1'"), Uint8Array.of(1, 2), 4), /has version 4, known are 1 to 3/],
    ['prefix cut', good.subarray(0, 9), /is truncated: it ends inside its header/],
    ['header cut', good.subarray(0, 30), /is truncated: it ends inside its header/],
    [
      'values cut',
      good.subarray(0, good.length - 1),
      /is truncated: shape \[2\] of U8 needs 2 bytes, found 1/,
    ],
    [
      'too long',
      Buffer.concat([good, Buffer.of(1)]),
      /is too long: shape \[2\] of U8 needs 2 bytes, found 3/,
    ],
    [
      'huge header',
      Buffer.from('\u0093NUMPY\u0002\u0000\u00ff\u00ff\u00ff\u00ff', 'latin1'),
      /header of 4294967295 bytes/,
    ],
    ['no dict', encodeNpy('hello', Uint8Array.of()), /header that cannot be read/],
    ['objects', encodeNpy(dict("'|O'"), Uint8Array.of(1, 2)), /holds Python objects, not numbers/],
    ['records', encodeNpy(dict("[('a', '<f4')]"), Uint8Array.of(1, 2)), /holds records/],
    [
      'text values',
      encodeNpy(dict("'<U3'"), Uint8Array.of(1, 2)),
      /values of type <U3; known are .*Convert it/,
    ],
    [
      'complex values',
      encodeNpy(dict("'<c8'"), new Uint8Array(16)),
      /<c8; known are .*Convert it: array\.real/,
    ],
    ['byte order', encodeNpy(dict("'>f4'"), new Uint8Array(8)), /values of type >f4.*array\.astype\("<f4"\)/],
    [
      'Fortran',
      encodeNpy(dict("'<f4'", 'True', '(2, 1)'), new Uint8Array(8)),
      /in Fortran order.*ascontiguousarray/,
    ],
    ['negative', encodeNpy(dict("'<f4'", 'False', '(-1,)'), new Uint8Array(8)), /header that cannot be read/],
    [
      'huge',
      encodeNpy(dict("'<f4'", 'False', '(99999999999, 99999999999)'), new Uint8Array(8)),
      /is truncated/,
    ],
  ])('%s', async (_, bytes, message) => {
    await expect(readNpyHeader(await write(bytes))).rejects.toThrow(message);
  });

  test('a missing file', async () => {
    await expect(readNpyHeader(join(folder, 'none.npy'))).rejects.toThrow(/none\.npy: no such file/);
  });
});

test('all three versions, a scalar, Fortran order of one dimension', async () => {
  for (const version of [1, 2, 3]) {
    const path = await write(encodeNpy(dict("'<i2'", 'True', '(2,)'), new Uint8Array(4), version));
    expect(await readNpyHeader(path)).toMatchObject({ dtype: 'I16', shape: [2] });
  }
  expect(
    await readNpyHeader(await write(encodeNpy(dict("'|b1'", 'False', '()'), new Uint8Array(1)))),
  ).toMatchObject({ dtype: 'BOOL', shape: [] });
});

test('mutations are read or refused, never anything else', async () => {
  const good = encodeNpy(dict("'<f4'", 'False', '(2, 3)'), new Uint8Array(24));
  const change = fc.tuple(fc.nat(100), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 4 }),
      fc.nat(good.length),
      async (changes, cut) => {
        const bytes = Buffer.from(good);
        for (const [at, byte] of changes) bytes[at] = byte;
        const path = await write(bytes.subarray(0, cut % 3 === 0 ? cut : bytes.length));
        await readNpyHeader(path).catch((error: unknown) => expect(error).toBeInstanceOf(RectiflowError));
      },
    ),
    { numRuns: 300 },
  );
});

const hasNumpy = ((): boolean => {
  try {
    execFileSync('python3', ['-c', 'import numpy'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

test.skipIf(!hasNumpy)('what numpy writes (skipped where python3 has no numpy)', async () => {
  const types = ['u1', 'i1', 'i2', 'i4', 'i8', 'u2', 'u4', 'f2', 'f4', 'f8', 'b1'];
  const save = types.map((type) => `np.save('${type}.npy', np.arange(6).reshape(2, 3).astype('${type}'))`);
  execFileSync(
    'python3',
    [
      '-c',
      [
        'import numpy as np',
        ...save,
        "np.save('fortran.npy', np.asfortranarray(np.ones((2, 3))))",
        "np.save('object.npy', np.array([None, 1]))",
      ].join('\n'),
    ],
    { cwd: folder },
  );
  const pool = new FilePool();
  for (const type of types) {
    const { shape, data } = await readTensor(await openTensor(join(folder, `${type}.npy`), ''), pool);
    const wanted = { f2: [0, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500], b1: [0, 1, 1, 1, 1, 1] }[type] ?? [
      0, 1, 2, 3, 4, 5,
    ];
    expect([type, shape, Array.from(data, Number)]).toEqual([type, [2, 3], wanted]);
  }
  await pool.close();
  await expect(readNpyHeader(join(folder, 'fortran.npy'))).rejects.toThrow(/Fortran order/);
  await expect(readNpyHeader(join(folder, 'object.npy'))).rejects.toThrow(/Python objects/);
});
