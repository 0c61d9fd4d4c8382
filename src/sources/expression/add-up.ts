import { type Rows, RowsBuilder } from './matrix.ts';

/**
 * What scipy takes the sum of: a sparse matrix may have several values at one place.
 * @param across how long a line is
 * @returns a function that gives lines in which no place occurs twice; places outside of a line stay as they are
 */
export function adder(across: number): (lines: Rows) => Rows {
  /** What is known of a place: the last line that has it, or where its sum is. */
  const seen = new Float64Array(across);
  return (lines) => (hasTwice(lines, seen.fill(-1)) ? addUp(lines, seen.fill(-1)) : lines);
}

function hasTwice({ starts, columns }: Rows, lastLine: Float64Array): boolean {
  for (let line = 0; line + 1 < starts.length; line++) {
    for (let at = starts[line]!; at < starts[line + 1]!; at++) {
      const place = columns[at]!;
      if (!(place >= 0 && place < lastLine.length)) continue;
      if (lastLine[place] === line) return true;
      lastLine[place] = line;
    }
  }
  return false;
}

function addUp(lines: Rows, sumOf: Float64Array): Rows {
  const { starts, columns, values } = lines;
  const sums = new RowsBuilder(lines);
  for (let line = 0; line + 1 < starts.length; line++) {
    for (let at = starts[line]!; at < starts[line + 1]!; at++) {
      const place = columns[at]!;
      const known = sumOf[place] ?? -1;
      // A sum of an earlier line is none of this one.
      if (known >= sums.rowStart) {
        sums.values[known]! += values[at]!;
        continue;
      }
      if (place >= 0 && place < sumOf.length) sumOf[place] = sums.end;
      sums.add(place, values[at]!);
    }
    sums.endRow();
  }
  return sums.finish();
}
