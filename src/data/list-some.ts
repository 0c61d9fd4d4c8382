const SHOWN = 5;

/**
 * The first few of many names, and how many more there are: `a.png, b.png and 7 more`.
 * @param count of all of them, where `names` are the first
 */
export function listSome(names: Iterable<string>, count?: number): string {
  const shown: string[] = [];
  let found = 0;
  for (const name of names) if (found++ < SHOWN) shown.push(name);
  const more = (count ?? found) - shown.length;
  return more === 0 ? shown.join(', ') : `${shown.join(', ')} and ${more} more`;
}
