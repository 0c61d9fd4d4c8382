/** A copy of 264 bytes takes three. */
const MOST_PER_BYTE = 88;

/**
 * LZF (Marc Lehmann's LibLZF): runs of literal bytes, and copies of what was already unpacked.
 * @param size of what comes out
 */
export function decompress(packed: Uint8Array, size: number): Uint8Array {
  if (size > MOST_PER_BYTE * packed.length) throw new Error('a chunk is damaged');
  const unpacked = new Uint8Array(size);
  let [from, to] = [0, 0];
  while (from < packed.length) {
    const control = packed[from++]!;
    if (control < 32) {
      const run = packed.subarray(from, from + control + 1);
      if (run.length <= control || to + run.length > size) throw new Error('a chunk is damaged');
      unpacked.set(run, to);
      from += run.length;
      to += run.length;
      continue;
    }
    const isLong = control >> 5 === 7;
    const length = 2 + (control >> 5) + (isLong ? packed[from++]! : 0);
    let source = to - ((control & 31) << 8) - packed[from++]! - 1;
    if (!(source >= 0 && to + length <= size)) throw new Error('a chunk is damaged');
    // Byte by byte: a copy may reach into what it writes.
    for (const end = to + length; to < end;) unpacked[to++] = unpacked[source++]!;
  }
  if (to !== size) throw new Error('a chunk is damaged');
  return unpacked;
}
