// The process that runs rectiflow's sampler of a case: sample-child.js NAME OPTIONS SAMPLING
import {
  type CpuOptions,
  FlowSampler,
  countParameters,
  cpuBackend,
  createModel,
  initializeState,
} from 'rectiflow';
import { caseByName } from './cases.ts';
import { serve } from './contestant.ts';

const [name, options, sampling] = process.argv.slice(2) as [string, string, string];
const { steps, guidance } = JSON.parse(sampling) as { steps: number; guidance: number };
const { config } = caseByName(name);
const model = createModel(config.model);
const backend = cpuBackend(JSON.parse(options) as CpuOptions);
const weights = new Map(
  model.parameters.map((spec) => [spec.name, backend.allocate({ shape: spec.shape, dtype: 'float32' })]),
);
await initializeState(backend, model, weights, config.seed);

const sampler = new FlowSampler(backend, model, weights);
const { batchSize: images } = config.train;
const labels = Array.from({ length: images }, (_, i) => i % model.conditions[0]!.limit!);
const sample = (count: number): Promise<Float32Array> =>
  sampler.sample({ count: images, conditions: { labels }, guidance, steps: count, seed: config.seed });
await serve({ warmUp: () => sample(1), run: () => sample(steps) }, async () => ({
  parameters: countParameters(model),
}));
