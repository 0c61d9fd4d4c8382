import { type Source, checkData, previewData, train } from 'rectiflow';

const side = 16;

/** Discs, small and large ones. Any way to make numbers will do: a database, a simulation, another format. */
const discs: Source = {
  name: 'discs',
  count: 10_000,
  shape: [1, side, side],
  classes: 2,
  classNames: ['small', 'large'],
  read(index, out, offset) {
    const label = index % 2;
    const radius = (label === 0 ? 2 : 5) + (index % 9) / 4;
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        out[offset + side * y + x] = Math.hypot(x - 7.5, y - 7.5) < radius ? 1 : -1;
      }
    }
    return { label };
  },
};

const config = {
  name: 'discs',
  data: { source: 'custom' },
  model: { width: 32, depth: 2, heads: 2, patchSize: 4 },
  train: { steps: 50, batchSize: 16, sampleEvery: 0 },
} as const;

const { classes, advice } = await checkData(config, { source: discs });
console.log(classes, advice);
await previewData(config, 'discs.png', { source: discs });
const { run } = await train(config, { source: discs });
console.log(`Trained in ${run}`);
