// The process that reads batches as training does, without training: loader-child.js SPECIFICATION (JSON)
import { type DataConfig, Loader, openSource } from 'rectiflow';
import { serve } from './contestant.ts';

export interface LoaderSpecification {
  readonly data: DataConfig;
  readonly batch: number;
  /** Batches of a run: more than are held ready, so that one that does not count empties the queue. */
  readonly batches: number;
  readonly workers: number;
}

const { data, batch, batches, workers } = JSON.parse(process.argv[2]!) as LoaderSpecification;
const source = await openSource(data);
const loader = new Loader(source, { batchSize: batch, seed: 0, workers });

async function run(): Promise<void> {
  for (let i = 0; i < batches; i++) await loader.next();
}

await serve({ warmUp: run, run }, async () => {
  const size = source.shape.reduce((product, extent) => product * extent, 1);
  const values = new Float32Array(batch * size);
  for (let i = 0; i < batch; i++) await source.read(i, values, i * size, { seed: 0, epoch: 0 });
  return { mean: values.reduce((sum, value) => sum + value, 0) / values.length };
});
loader.close();
await source.close?.();
