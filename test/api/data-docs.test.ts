import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { SourceFacts } from '../../src/data/source.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { resolveConfig, ParsedConfig } from '../../src/config/resolve-config.ts';

const pages = await Promise.all(
  ['data.md', 'gene-expression.md'].map(async (page) => {
    const text = await readFile(fileURLToPath(new URL(`../../docs/${page}`, import.meta.url)), 'utf8');
    const blocks = Array.from(text.matchAll(/^```yaml\n(.*?)^```$/gms), ([, block]) => block!);
    return blocks.map((block) => ({ page, block, config: parse(block) as ConfigInput }));
  }),
);
const examples = pages.flat();

/** What any data could say, so that a model follows from them. */
function factsFor({ data }: ConfigInput): SourceFacts {
  const facts = { name: 'data', count: 100, classes: 3, captions: true };
  return { ...facts, shape: data?.source === 'expression' ? [765] : [3, 32, 32] };
}

describe('the examples of docs/', () => {
  it('have one of every source that a config can name', () => {
    const shown = new Set(examples.map(({ config }) => config.data?.source));
    expect([...shown].toSorted()).toEqual([
      'array',
      'emoji',
      'expression',
      'folder',
      'idx',
      'parquet',
      'shards',
    ]);
  });

  it.each(examples)('$page: $block', ({ config }) => {
    expect(ParsedConfig.of(config).data.source).toBe(config.data?.source);
    const model = config.model ?? {
      preset: 'DiT-S/4',
      ...(factsFor(config).shape.length === 1 && { groupSize: 8 }),
    };
    const resolved = resolveConfig({ ...config, model }, { facts: factsFor(config) });
    expect(resolveConfig(resolved)).toEqual(resolved);
  });
});
