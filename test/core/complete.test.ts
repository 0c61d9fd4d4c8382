// Settings of a training without files: their defaults are those of a config, and so is what is refused.
import { expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { type Source, completeTraining, conditioningOf, trainingData } from '../../src/core.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const source = stripes();
const { model } = resolveConfig(tinyStripes);

it('are those of a config that says as much', () => {
  const {
    name: _n,
    data: _d,
    sinks: _s,
    backend: _b,
    stages: _st,
    growth: _g,
    ...wanted
  } = resolveConfig({ data: { source: 'custom' }, model: tinyStripes.model }, { facts: source });
  expect(completeTraining({ model }, source)).toEqual(wanted);
  const steps = { train: { steps: 50, batchSize: undefined }, ema: { decay: 0.9 }, seed: 3 };
  expect(completeTraining({ model, ...steps }, source)).toMatchObject({
    seed: 3,
    train: { steps: 50, batchSize: wanted.train.batchSize },
    optimizer: { warmupSteps: 5 },
    ema: { ...wanted.ema, decay: 0.9 },
  });
});

it('are refused where they do not fit together, or not the data', () => {
  const wrong = { sample: { labels: [7] }, ema: { decays: [0.9999] } };
  expect(() => completeTraining({ model, ...wrong }, source)).toThrow(
    /^config:\n {2}ema\.decays\.0: wanted a decay that no other average has.*\n {2}sample\.labels\.0: wanted a label below 3/,
  );
  expect(() => completeTraining({ model }, { ...source, shape: [1, 8, 8] })).toThrow(
    /images are \[C, H, W\]/,
  );
});

const captioned: Source = {
  ...source,
  captions: true,
  caption: (index) => `stripe ${index}`,
  read: async (index, out, offset, key) => ({
    ...(await source.read(index, out, offset, key)),
    caption: `stripe ${index}`,
  }),
};
const text = { vocabulary: 514, length: 8, width: 8, depth: 1, heads: 2, tokenizer: 'byte-pairs' };
const { classes: _, reverseTime: __, ...sizes } = model as Extract<typeof model, { kind: 'dit' }>;
const captions = { ...sizes, kind: 'text-dit', text } as const;

it('captions are told by a tokenizer that is learnt from them, or was when the training began', async () => {
  const config = completeTraining({ model: captions }, captioned);
  const { conditioning } = await trainingData({ config, source: captioned });
  const { learnt } = conditioning;
  expect(learnt?.pairs.length).toBeGreaterThan(0);
  const others: Source = { ...captioned, caption: (index) => `another ${index}` };
  const again = await trainingData({ config, source: others, learnt });
  const told = [{ caption: 'stripe 3' }];
  const { shape } = captioned;
  expect(again.conditioning.encode(told, shape)).toEqual(conditioning.encode(told, shape));
});

it('captions that are told by files are refused, and what reads them is named', () => {
  for (const [changes, found] of [
    [{ tokenizer: 'clip/tokenizer.json' }, /model\.text\.tokenizer: wanted bytes or byte-pairs.*clip/],
    [{ embeddings: 'captions.safetensors' }, /model\.text\.embeddings: .*captions\.safetensors/],
  ] as const)
    expect(() => conditioningOf({ ...captions, text: { ...text, ...changes } })).toThrow(found);
});
