/** A name out of a list of some, as it is written. */
export interface ListedName {
  readonly text: string;
  readonly isQuoted: boolean;
}

/**
 * Names that commas divide: `cat, "tench, Tinca tinca"`. In quotes, single or double, a name may hold commas, and quotes that are
 * doubled; without, where it is a known name.
 * @param known the longest of these that fits counts
 */
export function splitNames(
  text: string,
  known: { has(name: string): boolean; keys(): Iterable<string> },
): ListedName[] {
  const parts = splitAtCommas(text);
  let mostCommas = 0;
  for (const name of known.keys()) mostCommas = Math.max(mostCommas, name.split(',').length - 1);
  const names: ListedName[] = [];
  for (let at = 0; at < parts.length;) {
    let end = at + 1;
    for (let to = Math.min(parts.length, at + mostCommas + 1); to > at + 1; to--) {
      const joined = parts
        .slice(at, to)
        .map(({ raw }) => raw)
        .join(',');
      if (!known.has(joined) && !known.has(joined.trim())) continue;
      names.push({ text: joined, isQuoted: false });
      end = to;
      break;
    }
    if (end === at + 1) names.push(parts[at]!);
    at = end;
  }
  return names;
}

interface Part extends ListedName {
  /** As it stands between its commas. */
  readonly raw: string;
}

const part = /\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)')\s*(?:,|$)|([^,]*)(?:,|$)/y;

function splitAtCommas(text: string): Part[] {
  const parts: Part[] = [];
  part.lastIndex = 0;
  let isMore = true;
  while (isMore) {
    const [match, double, single, plain] = part.exec(text)!;
    isMore = match.endsWith(',');
    const raw = isMore ? match.slice(0, -1) : match;
    const quoted = double?.replaceAll('""', '"') ?? single?.replaceAll("''", "'");
    parts.push({ raw, text: quoted ?? plain!, isQuoted: quoted !== undefined });
  }
  return parts;
}
