import { appendFile } from 'node:fs/promises';
import { type MetricSink, train } from 'rectiflow';

const table: MetricSink = {
  name: 'table',
  start: ({ name, step }) => console.log(`${name}, after step ${step}`),
  scalars: (step, values) => appendFile('losses.csv', `${step},${values['train/loss']}\n`),
  notice: (step, text) => console.log(`step ${step}: ${text}`),
  end: (outcome) => console.log(outcome),
};

await train(
  {
    name: 'own-sink',
    data: { source: 'digits' },
    model: { width: 32, depth: 2, heads: 2, patchSize: 7 },
    train: { steps: 50, batchSize: 16, sampleEvery: 0 },
    sinks: { tensorboard: false },
  },
  { sinks: [table] },
);
