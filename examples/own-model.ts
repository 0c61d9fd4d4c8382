import {
  type VelocityModel,
  initializers,
  labelCondition,
  layers,
  ops,
  resume,
  sample,
  train,
} from 'rectiflow';

const [pixels, classes, width, depth] = [28 * 28, 10, 128, 3];
const blocks = Array.from({ length: depth }, (_, i) => `blocks.${i}`);
const weights = width * (2 * pixels + depth * width);

/** A plain network: what it knows of time and label is added to its first layer. */
const model: VelocityModel = {
  sampleShape: [1, 28, 28],
  conditions: labelCondition(classes),
  parameters: [
    ...layers.timestepEmbedderParameters('time', width),
    ...layers.labelEmbedderParameters('label', classes, width),
    ...layers.linearParameters('input', width, pixels),
    ...blocks.flatMap((block) => layers.linearParameters(block, width, width)),
    ...layers.linearParameters('output', pixels, width, initializers.zeros),
  ],
  cost: { forward: 2 * weights, training: 6 * weights },
  velocity(params, x, t, { labels }) {
    const time = layers.timestepEmbedder(params, 'time', t, 1000);
    const told = ops.add(time, layers.labelEmbedder(params, 'label', labels!));
    const flat = ops.reshape(x, [x.shape[0]!, pixels]);
    let h = ops.add(layers.linearLayer(params, 'input', flat), told);
    for (const block of blocks)
      h = x.graph.block(() => ops.add(h, layers.linearLayer(params, block, ops.silu(h))));
    return ops.reshape(layers.linearLayer(params, 'output', ops.silu(h)), x.shape);
  },
};

const { run } = await train(
  {
    name: 'own-model',
    data: { source: 'digits' },
    model: { kind: 'custom' },
    train: { steps: 50, batchSize: 16, sampleEvery: 0 },
  },
  { model },
);
await resume(run, { model }); // all steps are done: there is nothing left to train
const { values } = await sample(run, { model, labels: [7], count: 4 });
console.log(`${values.length / pixels} samples of ${run}`);
