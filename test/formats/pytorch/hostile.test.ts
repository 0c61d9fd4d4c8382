// Files made to harm whoever reads them, and files that are merely damaged: refused, by an error that says what was found.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { TorchTensor } from '../../../src/formats/pytorch/pickle-values.ts';
import { TorchFile } from '../../../src/formats/pytorch/torch-file.ts';
import { RectiflowError } from '../../../src/tensor/errors.ts';
import { temporaryFolder } from '../../support/cli.ts';
import {
  type Member,
  bytes,
  call,
  dict,
  global,
  integer,
  pickle,
  tensor,
  text,
  torchArchive,
  tuple,
  zip,
} from '../../support/torch-archive.ts';

let path: string;
beforeAll(async () => {
  path = join(await temporaryFolder(), 'x.pt');
});

/** Opens what these bytes are, and reads all of its tensors. */
async function load(content: Uint8Array): Promise<void> {
  await writeFile(path, content);
  const file = await TorchFile.open(path);
  if (!(file.value instanceof Map)) return;
  for (const value of file.value.values()) if (value instanceof TorchTensor) await file.read(value);
}

async function checkRefused(content: Uint8Array, message: RegExp): Promise<void> {
  const error = await load(content).catch((problem: unknown) => problem);
  expect(error).toBeInstanceOf(RectiflowError);
  expect((error as RectiflowError).message).toMatch(message);
}

const size = (value: number): Buffer => {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value));
  return length;
};
const repeated = (count: number, ...parts: Buffer[]): Buffer =>
  Buffer.alloc(count * Buffer.concat(parts).length, Buffer.concat(parts));

describe('pickles that ask for more than weights need', () => {
  const storage = (...parts: Buffer[]): Buffer => pickle(tuple(...parts), Buffer.from('Q'));
  const wrong = { elements: 4, shape: [4], strides: [1] };
  const long = dict({
    a: Buffer.concat([Buffer.from('('), repeated(100_000, bytes(0x4e)), Buffer.from('lq\u0001')]),
  });
  const namespace = call(global('argparse', 'Namespace'));
  const attributes = dict(
    Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`a${i}`, bytes(0x4e)])),
  );
  const cases: [string, Buffer, RegExp][] = [
    [
      'attributes that are set again and again',
      pickle(namespace, attributes, bytes(0x71, 1, 0x62), repeated(100_000, bytes(0x68, 1, 0x62))),
      /more than 2000000 pickle instructions/,
    ],
    [
      'os.system',
      pickle(call(global('os', 'system'), text('touch /tmp/harm'))),
      /"os\.system", which weights have no need of.*Save only/,
    ],
    ['posix.system', pickle(call(global('posix', 'system'), text('ls'))), /"posix\.system"/],
    ['eval', pickle(call(global('builtins', 'eval'), text('1'))), /"builtins\.eval"/],
    [
      'getattr in Python 2',
      pickle(call(global('__builtin__', 'getattr'), text('a'))),
      /"__builtin__\.getattr"/,
    ],
    ['a name from JavaScript', pickle(global('builtins', 'constructor')), /"builtins\.constructor"/],
    [
      'an attribute of an allowed name',
      pickle(global('torch', 'FloatStorage.from_file')),
      /"torch\.FloatStorage\.from_file"/,
    ],
    ['a global from the stack', pickle(text('os'), text('system'), bytes(0x93)), /"os\.system"/],
    [
      'a global that is no text',
      pickle(bytes(0x4e), bytes(0x4e), bytes(0x93)),
      /a Python name that is no text/,
    ],
    ['a name of a million letters', pickle(global('a'.repeat(1e6), 'b')), /^.{0,400}$/],
    ['a dtype that is called', pickle(call(global('torch', 'float32'))), /calls what is no function/],
    ['a call of a number', pickle(integer(1), tuple(), Buffer.from('R')), /calls what is no function/],
    [
      'a call without a tuple',
      pickle(global('builtins', 'list'), integer(1), Buffer.from('R')),
      /without a tuple/,
    ],
    ['INST, which imports', pickle(Buffer.from('(ios\nsystem\n')), /instruction 0x69/],
    ['an extension code', pickle(bytes(0x82, 1)), /instruction 0x82/],
    ['attributes of a list', pickle(Buffer.from(']}b')), /sets attributes of what has none/],
    ['protocol 0', Buffer.from('I1\n.'), /instruction 0x49/],
    ['protocol 6', bytes(0x80, 6, 0x2e), /protocol 6, wanted 2 to 5/],
    ['an empty pickle', Buffer.alloc(0), /cut short/],
    ['no STOP', bytes(0x80, 2), /cut short/],
    ['text of 2^63 bytes', pickle(bytes(0x8d), size(2 ** 62)), /cut short/],
    ['a number of 2^31 bytes', pickle(bytes(0x8b, 0, 0, 0, 0x7f)), /a whole number of 2130706432 bytes/],
    ['a name without an end', pickle(Buffer.from('cos')), /cut short/],
    ['nothing on the stack', pickle(), /takes a value that its pickle did not make/],
    ['no mark', pickle(Buffer.from('t')), /a mark that its pickle did not set/],
    ['a mark as a value', pickle(Buffer.from('(')), /takes a value that its pickle did not make/],
    ['a memo that is not there', pickle(bytes(0x6a, 255, 255, 255, 255)), /reads memo 4294967295/],
    ['a list that is none', pickle(Buffer.from('}Na')), /appends to what is no list/],
    ['a dict that is none', pickle(Buffer.from(']NNs')), /sets items of what is no dict/],
    ['an odd dict', pickle(Buffer.from('}(NNNu')), /sets items of what is no dict/],
    ['a set that is none', pickle(Buffer.from('](N'), bytes(0x90)), /adds items to what is no set/],
    [
      'a dict of no pairs',
      pickle(call(global('builtins', 'dict'), Buffer.from('](Ne'))),
      /a sequence of what is none/,
    ],
    [
      'an int of a list',
      pickle(call(global('builtins', 'int'), Buffer.from(']'))),
      /a number or a string of an object/,
    ],
    ['deep nesting', pickle(repeated(3_000_000, Buffer.from(']'))), /more than 2000000 pickle instructions/],
    ['a memo without end', pickle(Buffer.from('N'), repeated(3_000_000, bytes(0x94))), /more than 2000000/],
    [
      'a list that is copied for ever',
      pickle(long, repeated(1000, call(global('builtins', 'list'), bytes(0x68, 1)))),
      /more than 2000000/,
    ],
    ['a pickle of 40 MB', Buffer.alloc(40_000_000, 0x4e), /data\.pkl of 40000000 bytes, more than/],
    [
      'storage of an unknown kind',
      storage(text('storage'), global('builtins', 'list'), text('0'), text('cpu'), integer(1)),
      /a storage that is described wrongly/,
    ],
    [
      'storage of negative size',
      storage(text('storage'), global('torch', 'FloatStorage'), text('0'), text('cpu'), integer(-1)),
      /described wrongly/,
    ],
    ['a persistent number', pickle(integer(1), Buffer.from('Q')), /described wrongly/],
    ['a negative extent', pickle(tensor({ ...wrong, shape: [-4] })), /no whole number from 0/],
    ['a negative stride', pickle(tensor({ ...wrong, strides: [-1] })), /no whole number from 0/],
    ['a negative offset', pickle(tensor({ ...wrong, offset: -1 })), /no whole number from 0/],
    [
      'a view beyond its storage',
      pickle(tensor({ ...wrong, offset: 1 })),
      /shape \[4\] in a storage of 4 elements/,
    ],
    ['a stride beyond its storage', pickle(tensor({ ...wrong, strides: [2] })), /does not fit/],
    [
      'one number stretched to 10^15',
      pickle(tensor({ ...wrong, shape: [1e15], strides: [0] })),
      /does not fit/,
    ],
    ['more strides than axes', pickle(tensor({ ...wrong, strides: [1, 1] })), /1 axes and 2 strides/],
    [
      '100 axes',
      pickle(tensor({ elements: 1, shape: Array<number>(100).fill(1), strides: Array<number>(100).fill(1) })),
      /100 axes/,
    ],
    [
      'a parameter that is no tensor',
      pickle(call(global('torch._utils', '_rebuild_parameter'), integer(1))),
      /a parameter that is no tensor/,
    ],
  ];

  it.each(cases)('%s', async (_, described, message) => {
    await checkRefused(torchArchive(described), message);
  });

  it('a storage that is not there', async () => {
    await checkRefused(torchArchive(pickle(dict({ a: tensor(wrong) }))), /lacks the storage data\/0/);
  });

  it('a storage of another size than it claims, before memory is taken for it', async () => {
    const described = pickle(dict({ a: tensor({ ...wrong, elements: 1e12 }) }));
    await checkRefused(
      torchArchive(described, { 0: new Uint8Array(16) }),
      /has 16 bytes, 4000000000000 are wanted/,
    );
  });
});

describe('archives', () => {
  const data = (name: string, content: Uint8Array, rest: Partial<Member> = {}): Member => ({
    name,
    data: content,
    ...rest,
  });
  const good = data('x/data.pkl', pickle(Buffer.from('N')));
  const zeros = new Uint8Array(1_000_000);
  const cases: [string, Uint8Array, RegExp][] = [
    ['an empty file', new Uint8Array(0), /does not begin like a zip archive/],
    ['text', Buffer.from('hello'), /does not begin like a zip archive/],
    [
      'a bare pickle',
      pickle(Buffer.from('N')),
      /is a pickle, or a checkpoint in the format that PyTorch had before/,
    ],
    ['an archive cut short', zip([good]).subarray(0, 60), /no end of a zip archive: it is truncated/],
    ['no data.pkl', zip([data('x/other', Buffer.from('a'))]), /has 0 members named data\.pkl/],
    ['two data.pkl', zip([good, data('y/data.pkl', good.data)]), /has 2 members named data\.pkl/],
    ['the same name twice', zip([good, good]), /two members named "x\/data\.pkl"/],
    ['big endian', zip([good, data('x/byteorder', Buffer.from('big'))]), /byte order "big"/],
    ['an encrypted member', zip([data('x/data.pkl', good.data, { lies: { flags: 1 } })]), /is encrypted/],
    [
      'another compression',
      zip([data('x/data.pkl', good.data, { lies: { method: 12 } })]),
      /compressed by method 12/,
    ],
    [
      'a wrong checksum',
      zip([data('x/data.pkl', good.data, { lies: { crc: 1 } })]),
      /does not match its checksum/,
    ],
    [
      'a wrong size',
      zip([data('x/data.pkl', good.data, { lies: { bytes: 99 } })]),
      /is stored in 4 bytes, yet has 99/,
    ],
    [
      'a member behind the end',
      zip([data('x/data.pkl', good.data, { lies: { position: 1e9 } })]),
      /behind the start of the directory/,
    ],
    [
      'a member of 2^53 bytes',
      zip([data('x/data.pkl', good.data, { lies: { bytes: 2 ** 53, storedBytes: 2 ** 53 } })], {
        zip64: true,
      }),
      /behind the start of the directory/,
    ],
    ['members that overlap', zip([good, data('x/data/0', good.data, { lies: { position: 10 } })]), /overlap/],
    [
      'a zip bomb',
      zip([good, data('x/data/0', zeros, { deflate: true }), data('x/data/1', zeros, { deflate: true })]),
      /claims to hold 2000004, which no weights do/,
    ],
    [
      'a member that inflates to more than it says',
      zip([data('x/data.pkl', zeros, { deflate: true, lies: { bytes: 100 } })]),
      /cannot be inflated to its 100 bytes/,
    ],
    [
      'a member that inflates to less than it says',
      zip([data('x/data.pkl', good.data, { deflate: true, lies: { bytes: 100 } })]),
      /does not match its checksum/,
    ],
    ['more members than there are', zip([good], { count: 3 }), /a damaged directory/],
    ['2^40 members', zip([good], { count: 2 ** 40, zip64: true }), /a directory of 1099511627776 members/],
    [
      'fewer members than there are',
      zip([good, data('x/version', Buffer.from('3'))], { count: 1 }),
      /bytes behind the members/,
    ],
  ];

  it.each(cases)('%s', async (_, content, message) => {
    await checkRefused(content, message);
  });
});

it('whatever is changed in a file, it is read or refused, and nothing else', async () => {
  const original = await readFile(fileURLToPath(new URL('fixtures/protocol-2.pt', import.meta.url)));
  const change = fc.record({
    at: fc.nat(original.length - 1),
    to: fc.nat(255),
    length: fc.nat(original.length),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), fc.boolean(), async (changes, cut) => {
      const content = Buffer.from(original);
      for (const { at, to } of changes) content[at] = to;
      await load(cut ? content.subarray(0, changes[0]!.length) : content).catch((error: unknown) => {
        expect(error).toBeInstanceOf(RectiflowError);
      });
    }),
    { numRuns: 300 },
  );
});

it('whatever instructions a pickle has, it is read or refused, and nothing else', async () => {
  const parts = fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    fc.constantFrom(...'()]}tlsuaebRQ0N'.split('').map((letter) => Buffer.from(letter))),
    fc.constantFrom(
      global('collections', 'OrderedDict'),
      global('torch', 'FloatStorage'),
      global('builtins', 'set'),
    ),
    fc.integer().map(integer),
    fc.constant(tensor({ elements: 4, shape: [2, 2], strides: [2, 1] })),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(parts, { maxLength: 30 }), async (instructions) => {
      await load(torchArchive(pickle(...instructions))).catch((error: unknown) => {
        expect(error).toBeInstanceOf(RectiflowError);
      });
    }),
    { numRuns: 500 },
  );
});
