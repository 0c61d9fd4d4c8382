import { type TimeSampler, ops, train } from 'rectiflow';

/** Times near noise are drawn more often: the square root of uniform numbers. */
const nearNoise: TimeSampler = { fromUniform: (u) => ops.sqrt(u) };

const { run } = await train(
  {
    name: 'own-times',
    data: { source: 'digits' },
    model: { width: 32, depth: 2, heads: 2, patchSize: 7 },
    flow: { timeSampling: { kind: 'custom', stratified: true } },
    train: { steps: 50, batchSize: 16, sampleEvery: 0 },
  },
  { timeSampler: nearNoise },
);
console.log(`Trained in ${run}`);
