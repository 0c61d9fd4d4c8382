// Which cells are kept out of training: the same at every opening, in the same share of every class.

/**
 * 1 for each row that is held out. The order of a class's rows is that of a hash of their index, and the first ones of that order
 * are held out, so the choice depends on nothing but the labels and the share. One cell of a class at least is trained on.
 * @param codes class of each row; rows of -1 are never held out
 */
export function heldOutRows(codes: Int32Array, classes: number, share: number): Uint8Array {
  const rows = Array.from({ length: Math.max(classes, 1) }, (): number[] => []);
  codes.forEach((code, row) => rows[code]?.push(row));
  const held = new Uint8Array(codes.length);
  for (const ofClass of rows) {
    ofClass.sort((a, b) => hash(a) - hash(b) || a - b);
    const count = Math.max(0, Math.min(Math.round(share * ofClass.length), ofClass.length - 1));
    for (const row of ofClass.slice(0, count)) held[row] = 1;
  }
  return held;
}

/** The finalizer of MurmurHash3: every bit of the index reaches every bit of the result. */
function hash(index: number): number {
  let h = index | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
