// What a page of docs/ tells people to type.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** The part of a page under a heading, up to the next one of its level. @param page `latents.md` */
export async function docsSection(page: string, heading: string): Promise<string> {
  const text = await readFile(fileURLToPath(new URL(`../../docs/${page}`, import.meta.url)), 'utf8');
  const start = text.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`docs/${page} has no heading "${heading}"`);
  const level = /^#+/.exec(heading)![0];
  const end = text.indexOf(`\n${level} `, start + heading.length + 1);
  return text.slice(start, end < 0 ? undefined : end);
}

/** Blocks of code in one language, without their fences. */
export function docsBlocks(text: string, language: string): string[] {
  return Array.from(text.matchAll(/^```(\w+)\n(.*?)^```$/gms))
    .filter(([, found]) => found === language)
    .map(([, , block]) => block!);
}

/** The arguments of each command, as a shell takes them that need no quotes; comments are left out. */
export function docsCommands(text: string): string[][] {
  return docsBlocks(text, 'sh')
    .flatMap((block) => block.replaceAll(/\\\n\s*/g, '').split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => /^(?:npx )?rectiflow /.test(line))
    .map((line) => line.replace(/^(?:npx )?rectiflow /, '').split(/\s+/));
}
