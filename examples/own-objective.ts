import { type Objective, interpolate, ops, sample, train } from 'rectiflow';

/** The path of rectified flow, on which the model says the data that it sees through the noise. */
const dataPrediction: Objective = {
  name: 'data prediction',
  mix: interpolate,
  target: (x0) => x0,
  // The samplers want a velocity. Euler's steps never ask for one at t = 0, where this has none.
  velocity: (x0, xt, t) => ops.div(ops.sub(xt, x0), ops.reshape(t, [t.shape[0]!, 1, 1, 1])),
};

const { run } = await train(
  {
    name: 'own-objective',
    data: { source: 'digits' },
    model: { width: 32, depth: 2, heads: 2, patchSize: 7 },
    flow: { objective: { kind: 'custom' } },
    train: { steps: 50, batchSize: 16, sampleEvery: 0 },
  },
  { objective: dataPrediction },
);
const { values } = await sample(run, { objective: dataPrediction, labels: [7], count: 4 });
console.log(`${values.length / 28 ** 2} samples of ${run}`);
