// What docs/growing-and-sizes.md says of sizes: its configs and commands, run in small.
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { ParsedConfig } from '../../src/config/resolve-config.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { bucketsOf } from '../../src/sources/images/buckets.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';

const page = await readFile(
  fileURLToPath(new URL('../../docs/growing-and-sizes.md', import.meta.url)),
  'utf8',
);

function section(title: string): string {
  return page.split(`\n## ${title}\n`)[1]!.split('\n## ')[0]!;
}

const blocks = (text: string, language: string): string[] =>
  Array.from(text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms')), ([, block]) => block!);

const commands = (text: string): string[] =>
  blocks(text, 'sh')
    .flatMap((block) => block.trim().split('\n'))
    .map((line) => line.replace(/#.*/, '').trim());

/** What makes them tiny: everything else is as the page says. */
const small = {
  model: { width: 8, depth: 1, heads: 1 },
  train: { steps: 3, batchSize: 2, logEvery: 1 },
  sample: { steps: 1, perClass: 1 },
  backend: { name: 'reference' },
} as const;
/** Photos of the page are larger. */
const smallBuckets = { area: 1024, step: 8 };

function inSmall(block: string): ConfigInput {
  const config = parse(block) as Record<string, Record<string, unknown>>;
  const { preset, ...model } = config['model']!;
  const buckets = config['data']!['buckets'];
  return {
    ...config,
    ...small,
    data: { ...config['data'], ...(buckets ? { buckets: { ...buckets, ...smallBuckets } } : {}) },
    model: { ...model, ...(preset ? { patchSize: 8 } : {}), ...small.model },
    train: { ...config['train'], ...small.train },
  } as unknown as ConfigInput;
}

describe.each([
  ['Many sizes at once', 'many-sizes'],
  ['Aspect buckets', 'buckets'],
  ['Telling the model', 'told-sizes'],
])('%s', (title, name) => {
  let folder: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    await mkdir(join(folder, 'photos'));
    for (const [i, [height, width]] of [
      [80, 80],
      [90, 70],
      [70, 110],
      [100, 64],
    ].entries())
      await sharp({
        create: { height: height!, width: width!, channels: 3, background: { r: 60 * i, g: 90, b: 200 } },
      })
        .png()
        .toFile(join(folder, 'photos', `${i}.png`));
    const [block] = blocks(section(title), 'yaml');
    await writeFile(join(folder, `${name}.yaml`), stringify(inSmall(block!)));
  });

  it('has settings that there are', () => {
    const [block] = blocks(section(title), 'yaml');
    expect(() => ParsedConfig.of(parse(block!) as ConfigInput).data).not.toThrow();
  });

  it('has commands that work', async () => {
    const listed = commands(section(title));
    expect(listed.length).toBeGreaterThan(2);
    for (const command of listed) {
      const [program, ...args] = command.split(/\s+/);
      expect(program).toBe('rectiflow');
      const { code, stdout, stderr } = await rectiflow(folder, args);
      const errors = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('note: '));
      expect({ command, code, errors, stdout: code === 0 ? '' : stdout }).toEqual({
        command,
        code: 0,
        errors: [],
        stdout: '',
      });
    }
    const samples = await readdir(join(folder, 'runs', name, 'samples'));
    expect(samples.some((file) => file.endsWith('-sizes.png'))).toBe(true);
  }, 60_000);
});

it('lists the buckets of its example', () => {
  const [block] = blocks(section('Aspect buckets'), 'yaml');
  const { data } = ParsedConfig.of(parse(block!) as ConfigInput);
  const buckets = 'buckets' in data ? data.buckets! : undefined;
  const names = bucketsOf(buckets!).map(({ height, width }) => `${height}x${width}`);
  expect(section('Aspect buckets')).toContain(`\n    ${names.join('  ')}\n`);
});
