import type { CST, Tags } from 'yaml';

/** Deeper than any setting lies. */
const mostLevels = 32;
/** A level of values is two of tokens: a list and its item. */
const mostTokenLevels = 2 * mostLevels + 4;
/** Settings and items of lists, those of aliases as often as they are used. */
const mostValues = 1_000_000;

/**
 * A value in YAML, of which JSON is a part. What a text that is made to do harm can hold is refused: aliases within themselves, or
 * that multiply, and nesting without end.
 * @throws Error that says in a few words what is wrong
 */
export async function parseYaml(text: string): Promise<unknown> {
  const { Parser, parseDocument } = await import('yaml');
  checkLevels(new Parser().parse(text));
  const document = parseDocument(text, { customTags: decimalOnly });
  const [problem] = document.errors;
  // The lines below are an excerpt of the text.
  if (problem) throw new Error(problem.message.split(':\n')[0], { cause: problem });
  const value: unknown = document.toJS();
  count(value, 0, 0);
  return value;
}

/** Numbers are decimal here as in options: 0x10 and 0o17 are no numbers, so that a setting that wants one says what it found. */
function decimalOnly(tags: Tags): Tags {
  return tags.filter((tag) => typeof tag === 'string' || (tag.format !== 'HEX' && tag.format !== 'OCT'));
}

/** What makes values of tokens calls itself for each level, and V8 ends a process that runs out of stack in a regular expression. */
function checkLevels(tokens: Iterable<CST.Token>): void {
  const open: (readonly [node: unknown, level: number])[] = [];
  for (const token of tokens) open.push([token, 0]);
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const [node, level] = at;
    if (level > mostTokenLevels) throw tooDeep();
    if (typeof node !== 'object' || node === null) continue;
    const { items, key, value } = node as { items?: unknown[]; key?: unknown; value?: unknown };
    for (const inner of [...(items ?? []), key, value]) open.push([inner, level + 1]);
  }
}

function tooDeep(): Error {
  return new Error(`it is nested more than ${mostLevels} levels deep, or an alias is within itself`);
}

/** @returns how many values there are, with `before` */
function count(value: unknown, level: number, before: number): number {
  if (level > mostLevels) throw tooDeep();
  if (before > mostValues) throw new Error(`it holds more than ${mostValues} values`);
  if (typeof value !== 'object' || value === null) return before + 1;
  return Object.values(value).reduce<number>((sum, inner) => count(inner, level + 1, sum), before + 1);
}
