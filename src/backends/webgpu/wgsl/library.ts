// Functions of WGSL that shaders ask for by calling them: a text gets those that it names, and those that these name.
import { halves } from './halves.ts';
import { numbers } from './numbers.ts';
import { philox } from './philox.ts';
import { workgroups } from './workgroups.ts';

/** Parts, each of one or more declarations that belong together, in an order in which each names only itself and those before. */
const parts: readonly string[] = [...numbers, ...philox, ...halves, ...workgroups];

const declared = /^(?:fn|const|var<\w+>|struct|alias)\s+(\w+)/gm;
const namesOf = new Map(
  parts.map((part) => [part, Array.from(part.matchAll(declared), ([, name]) => name!)]),
);

/** @returns what a text needs of the library, to be put before it */
export function libraryFor(text: string): string {
  const chosen: string[] = [];
  let seen = text;
  for (const part of parts.toReversed()) {
    const words = new Set(seen.match(/\w+/g));
    if (!namesOf.get(part)!.some((name) => words.has(name))) continue;
    chosen.unshift(part);
    seen += part;
  }
  return chosen.length === 0 ? '' : `${chosen.join('\n')}\n`;
}
