import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { exitCodesHelp } from '../../src/cli/interrupt.ts';
import type { Source } from '../../src/data/source.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { temporaryFolder } from '../support/cli.ts';
import { pictures, tinyAutoencoder } from '../support/tiny-autoencoder.ts';
import { sizedStripes } from '../support/sized.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = await readFile(join(root, 'docs/training.md'), 'utf8');

/** The text below a heading, up to the next one of its level. */
function section(title: string): string {
  const [, text] = page.split(`\n## ${title}\n`);
  return text!.split('\n## ')[0]!;
}

const yaml = (text: string): string[] =>
  Array.from(text.matchAll(/^```yaml\n(.*?)^```$/gms), ([, block]) => block!);

/** The cells of a table's rows, without its head. */
const rows = (text: string): string[][] =>
  Array.from(text.matchAll(/^\|(.*)\|$/gm), ([, row]) => row!.split('|').map((cell) => cell.trim())).slice(2);

const names = (cell: string): string[] => Array.from(cell.matchAll(/`([^`]+)`/g), ([, name]) => name!);

const plain: ConfigInput = { data: { source: 'digits' }, model: { preset: 'DiT-S/4' } };

describe('docs/training.md', () => {
  it('shows every setting of training, with its default', () => {
    const [block] = yaml(section('All settings'));
    const { optimizer, ema, train: training, heldOut, flow, sinks } = resolveConfig(plain);
    expect(parse(block!)).toEqual({ optimizer, ema, train: training, heldOut, flow, sinks });
  });

  it.each(yaml(page))('shows settings that there are: %s', (block) => {
    const facts = { name: 'digits', count: 60_000, shape: [1, 28, 28], classes: 10 };
    expect(() => resolveConfig({ ...plain, ...(parse(block) as ConfigInput) }, { facts })).not.toThrow();
  });

  it.each(['training.md', 'faq.md'])('%s names settings that there are', async (file) => {
    const text = await readFile(join(root, 'docs', file), 'utf8');
    const known = 'optimizer|ema|train|heldOut|flow|sample|sinks|loader|backend|model';
    const named = [...text.matchAll(new RegExp(`\`((?:${known})(?:\\.[a-zA-Z]+)+)(?![a-zA-Z./])`, 'g'))];
    expect(named.length).toBeGreaterThan(0);
    for (const [, path] of named) {
      const config = path!.split('.').reduceRight<unknown>((value, name) => ({ [name]: value }), null);
      const given = config as ConfigInput;
      // What is there refuses null by its kind.
      expect(() => resolveConfig({ data: { source: 'digits' }, ...given })).toThrow(`${path}: wanted`);
    }
  });

  it('explains every field of metrics.jsonl', async () => {
    const explained = rows(section('What is logged')).flatMap(([cell]) => names(cell!));
    const options = { runs: await temporaryFolder(), backend: referenceBackend() };
    const heldOut = { count: 5, every: 4 };
    const fieldsOf = async (config: ConfigInput, source: Source): Promise<string[]> => {
      const { run } = await train({ ...config, heldOut }, { ...options, source });
      const { records } = await readMetrics(join(run, 'metrics.jsonl'));
      return Object.keys(records.at(-1)!);
    };
    const sizes: ConfigInput = { ...tinyStripes, model: { ...tinyStripes.model, imageSize: 12 } };
    const [velocity, autoencoder, sized] = [
      await fieldsOf(tinyStripes, stripes()),
      await fieldsOf(tinyAutoencoder, pictures()),
      await fieldsOf(sizes, sizedStripes(17)),
    ];
    // Of runs of several ranks: test/train/rank-times.test.ts has them.
    const ofRanks = ['ranks', 'computing', 'communication', 'efficiency', 'slowestRank', 'slowdown'];
    // The reference interpreter has no peak.
    const logged = new Set([...velocity, ...autoencoder, ...sized, ...ofRanks, 'mfu']);
    expect(explained.toSorted()).toEqual([...logged].toSorted());
  });

  it('quotes what the monitor says', async () => {
    const folder = join(root, 'src/train/monitor');
    const paths = (await readdir(folder)).map((file) => join(folder, file));
    const range = join(root, 'src/data/value-range.ts');
    const files = [...paths, range].map((path) => readFile(path, 'utf8'));
    const said = (await Promise.all(files)).join('\n');
    const quotes = rows(section('Diagnosis')).map(([quote]) => quote!);
    for (const part of quotes.flatMap((quote) => quote.split(' ... '))) expect(said).toContain(part);
    expect(quotes).toHaveLength(11);
  });

  it('has the exit codes of the commands', () => {
    const codes = rows(section('Signals and exit codes')).map(([, code]) => code);
    expect(codes).toEqual(['0', '1', '75', '85', '129', '130', '143']);
    for (const code of codes) expect(exitCodesHelp).toMatch(new RegExp(`\\b${code}\\b`));
  });
});
