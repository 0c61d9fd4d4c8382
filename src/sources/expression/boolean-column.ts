// Booleans are enumerations in HDF5, which the library does not write: it writes a type of its own size and one member, which is made
// an enumeration once the file is closed. Layout: "HDF5 File Format Specification Version 3.0", section IV.A.2.d (datatype message).
import { type FileHandle, open } from 'node:fs/promises';
import type { Dataset, Group } from 'h5wasm/node';

/** The only member: so long that its type has room for that of booleans, and found nowhere else. */
const MEMBER = 'rectiflow-makes-an-enumeration-of-this-member';
/** Class, number of members, and size of the type. */
const HEAD = 8;
const BLOCK = 2 ** 20;

/** How a file is created in which a type can be changed: the earliest format, as h5py writes it, has no checksums of headers. */
export const WITHOUT_CHECKSUMS: { libver: ['earliest', 'latest'] } = { libver: ['earliest', 'latest'] };

/** Version 1 of an enumeration of int8: FALSE is 0 and TRUE is 1, as h5py has it. */
const ENUMERATION = Buffer.concat([
  Buffer.from([0x18, 2, 0, 0, 1, 0, 0, 0]),
  Buffer.from([0x10, 0x08, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0]),
  Buffer.from('FALSE\0\0\0TRUE\0\0\0\0'),
  Buffer.from([0, 1]),
]);

/** Writes what becomes booleans by `finishBooleans`. */
export function writeBooleans(group: Group, name: string, values: Int8Array): Dataset {
  const data = new Map([[MEMBER, values]]);
  return group.create_dataset({ name, data, dtype: [[MEMBER, '<b']], shape: [values.length] }) as Dataset;
}

/** @param path of a file that is closed, in which booleans were written once */
export async function finishBooleans(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const member = await placeOf(file, Buffer.from(MEMBER));
    const room = Buffer.alloc(HEAD + MEMBER.length);
    ENUMERATION.copy(room);
    await file.write(room, 0, room.length, member - HEAD);
  } finally {
    await file.close();
  }
}

async function placeOf(file: FileHandle, wanted: Buffer): Promise<number> {
  const block = Buffer.alloc(BLOCK + wanted.length);
  for (let start = 0; ; start += BLOCK) {
    const { bytesRead } = await file.read(block, 0, block.length, start);
    const at = block.subarray(0, bytesRead).indexOf(wanted);
    if (at >= 0) return start + at;
    if (bytesRead === 0) throw new Error('the type of the booleans is not in the file');
  }
}
