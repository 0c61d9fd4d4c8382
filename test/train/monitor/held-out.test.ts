// What the monitor sees by samples that are held out, in real runs.
import { describe, expect, it } from 'vitest';
import { train } from '../../../src/api/train.ts';
import { arraySource } from '../../../src/sources/arrays.ts';
import type { Source } from '../../../src/data/source.ts';
import type { ConfigInput } from '../../../src/config/config.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { greys } from '../../support/greys.ts';
import { randomValues } from '../../support/random.ts';

async function notices(source: Source, changes: ConfigInput): Promise<string[]> {
  const said: string[] = [];
  const config: ConfigInput = {
    name: 'held-out',
    data: { source: 'custom' },
    train: { steps: 900, batchSize: 8, logEvery: 10, sampleEvery: 0, checkpointEvery: 0 },
    optimizer: { learningRate: 3e-3, decay: 'constant' },
    heldOut: { count: 8, every: 100 },
    sample: { steps: 2, perClass: 1 },
    backend: { threads: 1 },
    ...changes,
  };
  await train(config, {
    runs: await temporaryFolder(),
    source,
    onNotice: (text) => said.push(text),
  });
  return said;
}

/** Pictures of noise have nothing in common: all that can be learnt of one is itself. */
function noise(count: number): Source {
  return arraySource({
    name: 'noise',
    images: Float32Array.from(randomValues(count * 16, 5)),
    shape: [1, 4, 4],
  });
}

describe('by samples that are held out, a run tells', () => {
  it('that its set is too small', async () => {
    const model = { width: 32, depth: 2, heads: 2, patchSize: 2, channels: 1, imageSize: 4 } as const;
    const said = await notices(noise(16), { model });
    expect(said).toEqual([
      expect.stringMatching(/^The model learns its samples by heart: .*: 8 samples, each/),
    ]);
  });

  const model = {
    width: 16,
    depth: 1,
    heads: 1,
    patchSize: 4,
    channels: 1,
    imageSize: [8, 12],
    classes: 3,
  } as const;

  it('that its labels carry no signal, where they belong to no grey in particular', async () => {
    const said = await notices(
      labelled((index) => (index * 7 + Math.floor(index / 12)) % 3),
      { model },
    );
    expect(said).toEqual([expect.stringMatching(/^Labels \(or captions\) carry no signal/)]);
  });

  it('nothing where labels tell the grey', async () => {
    expect(
      await notices(
        labelled((index) => Math.floor((index % 12) / 4)),
        { model },
      ),
    ).toEqual([]);
  });
});

function labelled(labelOf: (index: number) => number): Source {
  const source = greys(480);
  return {
    ...source,
    async read(index, out, offset, key) {
      await source.read(index, out, offset, key);
      return { label: labelOf(index) };
    },
  };
}
