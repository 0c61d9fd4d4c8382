// Names of classes as names of folders that every system can make, and that differ on every one.
import { cleanName } from '../../data/alike.ts';

/** Of UTF-8: file systems allow 255, and a number may follow. */
const mostBytes = 240;
/** Windows opens devices by these names, whatever follows the first full stop. */
const device = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/**
 * A folder for each class, by label. Other names than those of classes come about where a system could not make them, or would
 * take two for one: for its case, its form of letters, or what was replaced in it. A number tells these apart.
 */
export function pathNames(classNames: readonly string[]): string[] {
  const taken = new Set<string>();
  const paths = new Map<number, string>();
  const take = (label: number, path: string): boolean => {
    const key = path.normalize('NFC').toUpperCase().toLowerCase();
    if (taken.has(key)) return false;
    taken.add(key);
    paths.set(label, path);
    return true;
  };
  const wanted = classNames.map(pathName);
  // Who is called as its folder comes first, so that nothing changes for a class because another came to the set.
  for (const [label, path] of wanted.entries()) if (path === classNames[label]) take(label, path);
  for (const [label, path] of wanted.entries()) {
    if (paths.has(label) || take(label, path)) continue;
    for (let numbered = `${path}-${label}`; !take(label, numbered);) numbered += '_';
  }
  return classNames.map((_, label) => paths.get(label)!);
}

function pathName(className: string): string {
  // Windows drops spaces and full stops at the end; what begins with a full stop is hidden elsewhere.
  const clean = cleanName(className).replace(/^[. ]+|[. ]+$/g, '_');
  return cut(device.test(clean) ? `_${clean}` : clean) || '_';
}

function cut(name: string): string {
  let bytes = 0;
  let end = 0;
  for (const letter of name) {
    bytes += Buffer.byteLength(letter);
    if (bytes > mostBytes) break;
    end += letter.length;
  }
  return name.slice(0, end);
}
