import { sample, train, writeSamples } from 'rectiflow';

const { run } = await train(
  {
    name: 'my-digits',
    data: { source: 'digits' },
    model: { width: 128, depth: 6, heads: 4, patchSize: 4 },
    optimizer: { learningRate: 2e-3, betas: [0.9, 0.95] },
    ema: { decay: 0.999 },
    train: { steps: 2000, batchSize: 64, logEvery: 100 },
  },
  { onStep: ({ step, loss }) => console.log(`step ${step}: loss ${loss.toFixed(3)}`) },
);

const sevens = await sample(run, { labels: [7], count: 16, guidance: 2 });
const { grid } = await writeSamples('sevens', sevens);
console.log(`Look at ${grid}`);
