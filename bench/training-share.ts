// What a rank does of a case's training step, as the trainer runs it, on random images; or all of it, where there are no others.
import {
  type Communicator,
  type CompiledStep,
  type CpuOptions,
  type RunConfig,
  compileStep,
  countParameters,
  cpuBackend,
  createModel,
  initializeState,
  shareOf,
  stepPrograms,
} from 'rectiflow';
import { randomInputs } from './training-step.ts';

export interface PreparedShare {
  /** Of the whole model. */
  readonly parameters: number;
  readonly step: CompiledStep;
  /** One step: draws, forward, backward, the exchange of gradients, clipping, AdamW, EMA, the exchange of weights. */
  run(): Promise<void>;
  /** Seconds so far in which steps waited for other ranks, and for what they send. */
  waited(): number;
  dispose(): Promise<void>;
}

/** @param config whose `train.shards` the ranks share out */
export async function prepareShare(
  config: RunConfig,
  options: CpuOptions,
  communicator?: Communicator,
): Promise<PreparedShare> {
  const { batchSize } = config.train;
  const model = createModel(config.model);
  const backend = cpuBackend(options);
  const share = shareOf(config.train, communicator);
  const { step, exchange, dispose } = await compileStep(
    backend,
    stepPrograms(config, model, undefined, { share }),
    {
      microBatch: batchSize,
      fill: (buffers) => initializeState(backend, model, buffers, config.seed, share.own),
      communicator,
    },
  );
  const count = batchSize / share.ranks;
  const inputsOf = randomInputs(config, model, { first: share.rank * count, count });
  let number = 0;
  return {
    parameters: countParameters(model),
    step,
    run: () => step.run(inputsOf(++number)),
    waited: () => exchange?.waiting.seconds ?? 0,
    dispose: async () => {
      await dispose();
      await backend.dispose();
    },
  };
}
