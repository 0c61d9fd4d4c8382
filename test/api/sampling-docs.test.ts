import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { samplers } from '../../src/flow/samplers.ts';
import { recipeConfig } from '../../src/config/load-config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';

const page = await readFile(fileURLToPath(new URL('../../docs/sampling.md', import.meta.url)), 'utf8');
const blocks = Array.from(page.matchAll(/^```yaml\n(.*?)^```$/gms), ([, block]) => parse(block!));

describe('docs/sampling.md', () => {
  it('shows every setting of samplers, with its default', () => {
    const [{ sample }] = blocks;
    const {
      perClass,
      gridWeights,
      labels: _,
      prompts: __,
      ...defaults
    } = resolveConfig(recipeConfig('digits')).sample;
    expect(perClass).toBe(10);
    expect(gridWeights).toBe('both');
    expect(sample).toEqual(defaults);
  });

  it('shows settings of time sampling that there are', () => {
    const [, { flow }] = blocks;
    const config = resolveConfig(recipeConfig('digits', { flow }));
    expect(config.flow).toEqual({ ...flow, coupling: 'independent', labelDropout: 0.1 });
  });

  it('has a row for each sampler, with what it costs', () => {
    for (const [name, { evaluationsPerStep }] of Object.entries(samplers)) {
      const cost =
        evaluationsPerStep === undefined ? '1, and 6 per attempted step' : `${evaluationsPerStep} per step`;
      expect(page).toContain(`| \`${name}\` | ${cost} |`);
    }
  });
});
