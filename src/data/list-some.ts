const SHOWN = 5;

/** The first few of many names, and how many more there are: `a.png, b.png and 7 more`. */
export function listSome(names: Iterable<string>): string {
  const shown: string[] = [];
  let more = 0;
  for (const name of names) {
    if (shown.length < SHOWN) shown.push(name);
    else more++;
  }
  return more === 0 ? shown.join(', ') : `${shown.join(', ')} and ${more} more`;
}
