// The monitor at work: real runs that go wrong, and one that does not.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { train } from '../../../src/api/train.ts';
import type { Source } from '../../../src/data/source.ts';
import type { ConfigInput } from '../../../src/config/config.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { changed, greys, toBytes } from '../../support/greys.ts';
import { tinyStripes } from '../../support/tiny-run.ts';

async function notices(
  source: Source,
  { steps = 300, learningRate = 1e-3, ...settings }: Settings = {},
): Promise<{ said: string[]; run: string }> {
  const said: string[] = [];
  const config: ConfigInput = {
    ...tinyStripes,
    train: { steps, batchSize: 8, logEvery: 5, sampleEvery: 0, checkpointEvery: 0 },
    optimizer: { learningRate, warmupSteps: 5, clipNorm: 0 },
    loader: { cacheMiB: 0 },
    backend: { threads: 1 },
    ...settings,
  };
  const { run } = await train(config, {
    runs: await temporaryFolder(),
    source,
    onNotice: (text) => said.push(text),
  });
  return { said, run };
}

type Settings = Omit<ConfigInput, 'train' | 'optimizer'> & { steps?: number; learningRate?: number };

describe('a run tells', () => {
  it('nothing where all is well', async () => {
    const { said, run } = await notices(greys());
    expect(said).toEqual([]);
    expect(existsSync(join(run, 'notices.log'))).toBe(false);
  });

  it('that its data are bytes, and writes it down', async () => {
    const { said, run } = await notices(changed(greys(), toBytes), { steps: 20 });
    expect(said).toEqual([expect.stringMatching(/^The data are not in \[-1, 1\]/)]);
    expect(await readFile(join(run, 'notices.log'), 'utf8')).toBe(`step 1: ${said[0]}\n`);
  });

  it('that its data are bytes, though the first batch holds a NaN', async () => {
    const spoilt = changed(changed(greys(), toBytes), (values, read) => {
      if (read === 0) values[0] = NaN;
    });
    const { said } = await notices(spoilt, { steps: 20, loader: { cacheMiB: 0, workers: 1 } });
    expect(said).toEqual([
      expect.stringMatching(/^At step 1 the loss is NaN\. The data hold NaN once/),
      expect.stringMatching(/^The data are not in \[-1, 1\]: the first batch holds values from 21/),
    ]);
  });

  it('that its learning rate is too small', async () => {
    const { said } = await notices(greys(), { learningRate: 1e-9 });
    expect(said).toEqual([expect.stringMatching(/^The loss is not falling: .*too small/)]);
  });

  it('that its learning rate is too large', async () => {
    const { said } = await notices(greys(), { learningRate: 0.5, steps: 100 });
    expect(said[0]).toMatch(/^(Training diverges|Gradients explode): .*set optimizer\.clipNorm to 1/);
  });

  it('of a batch that made the loss spike', async () => {
    const odd = changed(greys(), (values, read) => {
      if (read >= 8 * 195 && read < 8 * 205) values.fill(10);
    });
    const { said } = await notices(odd);
    expect(said).toEqual([expect.stringMatching(/^The loss has spiked: [\d.]+ at step 200/)]);
  });

  it('that its average is cold at the end', async () => {
    const { said } = await notices(greys(), { steps: 50, ema: { decay: 0.9999, ramp: false } });
    expect(said).toEqual([expect.stringMatching(/^The average of the weights is not yet warm/)]);
  });

  it('that steps wait for data', async () => {
    const slow = changed(greys(), async () => {
      await setTimeout(12);
    });
    const { said } = await notices(slow, { steps: 31, loader: { cacheMiB: 0, workers: 1 } });
    expect(said).toEqual([expect.stringMatching(/^Steps wait for data \d+/)]);
  });
});
