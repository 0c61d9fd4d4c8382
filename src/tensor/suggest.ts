/** What two names have to be told apart by: case, spaces, dots, dashes and underlines are how people write the same. */
function letters(name: string): string {
  return name.toLowerCase().replace(/[\s._-]+/gu, '');
}

/**
 * The optimal string alignment distance: the number of letters to insert, delete or replace, or of neighbours to swap. Three
 * rows of the table at a time.
 */
export function editDistance(a: string, b: string): number {
  // What both begin with costs nothing, and of names in a list that is most of each.
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  return same === 0 ? tableDistance(a, b) : tableDistance(a.slice(same), b.slice(same));
}

function tableDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? before[j - 2]! + 1 : Infinity;
      next.push(Math.min(replaced, swapped, row[j]! + 1, next[j - 1]! + 1));
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}

/** Changes that leave a name of so many letters recognisable: one in four, and one from three letters on. */
function mostChanges(length: number): number {
  return length < 3 ? 0 : Math.max(1, Math.floor(length / 4));
}

/**
 * The known name that `name` was probably meant to be: spelt nearly so, or one that begins with it. Of numbers none is, as any
 * is near any other.
 */
export function closest(name: string, known: readonly string[]): string | undefined {
  const wanted = letters(name);
  if (!/\p{L}/u.test(wanted)) return known.find((candidate) => letters(candidate) === wanted);
  let best: string | undefined;
  let bestDistance = Infinity;
  let beginning: string | undefined;
  for (const candidate of known) {
    const other = letters(candidate);
    const most = mostChanges(Math.min(wanted.length, other.length));
    if (Math.abs(wanted.length - other.length) <= most) {
      const distance = editDistance(wanted, other);
      if (distance <= most && distance < bestDistance) [best, bestDistance] = [candidate, distance];
    }
    if (wanted.length >= 3 && other.startsWith(wanted)) beginning ??= candidate;
  }
  return best ?? beginning;
}

/** ` Did you mean "digits"?`, or nothing; to be put behind a message. */
export function didYouMean(name: string, known: readonly string[]): string {
  const guess = closest(name, known);
  return guess === undefined ? '' : ` Did you mean "${guess}"?`;
}
