// Names that people cannot tell apart, or file systems do not.
import { printable } from '../tensor/printable.ts';
import { listSome } from './list-some.ts';

/** Capitals and small letters of Greek and Cyrillic beside the Latin ones that they look like. */
const pairs =
  'АA ВB ЕE КK МM НH ОO РP СC ТT УY ХX ІI ЈJ ЅS аa еe оo рp сc уy хx іi јj ѕs ' +
  'ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX οo';
const mostOfGroup = 4;
const lookingAlike: ReadonlyMap<string, string> = new Map(
  pairs.split(' ').map(([other, latin]) => [other!, latin!]),
);

/** Equal for names that look alike: in whatever case, form of letters (NFKC) or script, with whatever spaces or invisible characters. */
export function alikeKey(name: string): string {
  // As below, ten times faster.
  if (/^[!-~]+(?: [!-~]+)*$/.test(name)) return name.toLowerCase();
  const seen = lookOf(name).replace(/\p{Default_Ignorable_Code_Point}/gu, '');
  return seen.toUpperCase().toLowerCase().normalize('NFKC').replace(/\s+/gu, ' ').trim();
}

/** In one form, and in Latin letters where others look like them. */
function lookOf(name: string): string {
  return Array.from(name.normalize('NFKC'), (letter) => lookingAlike.get(letter) ?? letter).join('');
}

/** What a class is called in paths, before names that become the same are told apart. */
export function cleanName(name: string): string {
  return name.replaceAll(/[^\p{L}\p{M}\p{N}._ -]/gu, '_');
}

/** Names in quotes, told apart: those that would be shown alike are spelt out. */
export function spellNames(names: readonly string[]): string[] {
  const shown = names.map(printable);
  const isPlain = new Set(shown.map(lookOf)).size === new Set(names).size;
  return shown.map((name) => `"${isPlain ? name : spell(name)}"`);
}

function spell(name: string): string {
  return name.replaceAll(/[^ -~]/gu, (letter) => `\\u{${letter.codePointAt(0)!.toString(16)}}`);
}

/** Where names with the same key stand. */
export function placesByKey(
  names: readonly string[],
  key: (name: string) => string,
): ReadonlyMap<string, readonly number[]> {
  const groups = new Map<string, number[]>();
  for (const [place, name] of names.entries()) {
    const group = groups.get(key(name));
    if (group) group.push(place);
    else groups.set(key(name), [place]);
  }
  return groups;
}

/** Names that were there before in the list, as often as they come again. */
export function repeatedNames(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.filter((name) => {
    const isThere = seen.has(name);
    seen.add(name);
    return isThere;
  });
}

function listGroup(alike: readonly string[]): string {
  const shown = spellNames(alike.slice(0, mostOfGroup));
  const more = alike.length - shown.length;
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join(' and ');
}

/** What makes classes hard to tell apart by their names, as sentences; none where nothing does. */
export function adviseNames(names: readonly string[]): string[] {
  const groups = placesByKey(names, (name) => cleanName(alikeKey(name)));
  const alike = [...groups.values()].filter((places) => places.length > 1);
  const listed = listSome(alike.map((places) => listGroup(places.map((place) => names[place]!))));
  const unnamed = groups.get('') ?? [];
  return [
    ...(unnamed.length > 0
      ? [`Names of classes that show nothing: of class ${listSome(unnamed.map(String))}. Name them.`]
      : []),
    ...(alike.length > 0
      ? [
          `Classes are easily mistaken for each other, by case, spaces, forms of letters or in paths: ${listed}. Rename or merge them.`,
        ]
      : []),
  ];
}
